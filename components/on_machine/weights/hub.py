"""Has the hub asked for what is missing, by fetch.py, in a Python where huggingface_hub is."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from components.on_machine.shared.paths import ROOT, Places
from components.on_machine.shared.uv import QUIET
from components.on_machine.weights.snapshot import Snapshot
from components.vllm.release.install.versions import TOOLS

FETCH = "components.on_machine.weights.fetch"
TOKENS = frozenset({"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"})
"""Variables that huggingface_hub prefers to the file with the token."""


@dataclass(frozen=True)
class Hub:
    """A hub, and what it takes to ask it."""

    uv: Path
    environment: Mapping[str, str]
    lock: int
    """Descriptor of the download's lock. What a killed job leaves running holds it too: it writes to the same files."""

    def fetch(self, snapshot: Snapshot) -> None:
        """Have every wanted file here, whatever is in it. When that fails the process ends."""
        packages = f"huggingface_hub=={TOOLS['huggingface_hub']}"
        python = [str(self.uv), "run", "--quiet", "--no-project", "--no-config", "--with", packages, "python"]
        words = [snapshot.model, snapshot.commit, str(snapshot.listing), str(snapshot.folder), *snapshot.excludes]
        done = subprocess.run(
            # As a module: beside a script Python would find token.py for its own module of that name.
            [*python, "-m", FETCH, *words],
            cwd=ROOT,
            env=self.environment,
            pass_fds=[self.lock],
            check=False,
        )
        if done.returncode != 0:
            # It is a work of its own and has said why, or uv has in the log.
            sys.exit(1)


def environment(home: Places, variables: Mapping[str, str], hub_home: Path, url: str) -> dict[str, str]:
    """All variables of fetch.py, `variables` being those around it; one of them says where the job's outcome goes.

    The token stays in its file, where huggingface_hub reads it: it is in no command line, no environment and no log.
    """
    return {
        **{name: value for name, value in variables.items() if name not in TOKENS},
        **QUIET,
        "HF_TOKEN_PATH": str(home.hub_token),
        "HF_HOME": str(hub_home),
        "HF_ENDPOINT": url,
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
        "HF_XET_HIGH_PERFORMANCE": "1",
    }
