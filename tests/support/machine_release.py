"""The programs for the machine, laid on a home directory as an update lays them."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from components.on_machine.shared.paths import BASE, RELEASE, RELEASES, SETTINGS
from components.vllm.programs import PACKAGE, PROGRAMS


def lay_release(home: Path) -> Path:
    """Lay them there, in use; the folder of the release."""
    release = home / RELEASES / PROGRAMS.hash
    for path, content in PROGRAMS.files.items():
        (release / path).parent.mkdir(parents=True, exist_ok=True)
        (release / path).write_bytes(content)
    (home / BASE / "jobs").mkdir(exist_ok=True)
    (home / SETTINGS).mkdir(parents=True, exist_ok=True)
    (home / RELEASE).symlink_to(Path("releases", release.name))
    return release


def run_on(
    home: Path, module: str, *words: str, environment: Mapping[str, str] | None = None, timeout: float = 120
) -> "subprocess.CompletedProcess[str]":
    """Run a module of the release to its end, as a command over SSH would."""
    return subprocess.run(
        ["python3", "-m", f"{PACKAGE}.{module}", *words],
        cwd=home / RELEASE,
        env={**os.environ, "HOME": str(home), **(environment or {})},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
