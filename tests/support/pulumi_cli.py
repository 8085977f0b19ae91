"""The Pulumi CLI for tests: found, and kept away from the user's own Pulumi."""

import os
import shutil
from pathlib import Path

REPOSITORY = Path(__file__).absolute().parents[2]
QUICK_PIP = Path(__file__).absolute().parent / "quick_pip"


class PulumiCliMissingError(Exception):
    """There is no Pulumi CLI to test with."""


def pulumi_environment(home: Path, backend: Path) -> dict[str, str]:
    """The whole environment for a CLI that touches only `home` (PULUMI_HOME) and `backend`, both made when missing.

    The repository's own tools and virtual environment come first on PATH. Raises `PulumiCliMissingError` when PATH has
    no `pulumi`.
    """
    own = [str(path) for path in (REPOSITORY / ".venv/bin", REPOSITORY / ".tools/bin") if path.is_dir()]
    path = os.pathsep.join([*own, os.environ.get("PATH", os.defpath)])
    if shutil.which("pulumi", path=path) is None:
        raise PulumiCliMissingError("no Pulumi CLI on PATH: run `make tools`")
    for directory in (home, backend):
        directory.mkdir(parents=True, exist_ok=True)
    inherited = {
        name: value
        for name, value in os.environ.items()
        # A stale agent socket would otherwise decide how commands log in.
        if not name.startswith("PULUMI_") and name != "SSH_AUTH_SOCK"
    }
    return inherited | {
        "PATH": path,
        "PYTHONPATH": str(QUICK_PIP),
        "PULUMI_HOME": str(home),
        # As the README has it: without files beside the state that a kill may leave half written.
        "PULUMI_BACKEND_URL": f"file://{backend.absolute()}?metadata=skip",
        "PULUMI_CONFIG_PASSPHRASE": "test",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_IGNORE_AMBIENT_PLUGINS": "true",
        "PULUMI_ERROR_OUTPUT_STRING": "true",
    }
