"""uv, of the pinned version, without a change to the system's Python."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from components.on_machine.shared import manifest
from components.on_machine.shared.locks import locked
from components.on_machine.shared.paths import Places
from components.on_machine.shared.work import WorkError
from components.vllm.release.install.versions import LOCKS, TOOLS

# Progress bars are one line without end to whoever reads the log.
QUIET = {"UV_NO_PROGRESS": "1"}


def ensure_uv(places: Places) -> Path:
    """The program, installed if it was missing. Install and download ask for it at the same time. `WorkError`."""
    version = TOOLS["uv"]
    folder = places.base / f"uv-{version}"
    program = folder / "bin/uv"
    with locked(places.base / "uv.lock") as lock:
        if not os.access(program, os.X_OK):
            _install(folder, lock)
            manifest.record(places.manifest, "uv", version, {})
    return program


def _install(folder: Path, lock: int) -> None:
    pip = [sys.executable, "-m", "pip"]
    if subprocess.run([*pip, "--version"], capture_output=True, check=False).returncode:
        raise WorkError("python3 has no pip: apt-get install python3-pip", "no-pip")
    new = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    # --target leaves the system's packages alone, so that an externally managed Python allows it.
    command = [*pip, "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "--no-deps"]
    command += ["--only-binary", ":all:", "--target", str(new), "--requirement", str(LOCKS / "uv.txt")]
    # A pip that outlived us holds the lock too: it has to end before another writes into the same folder.
    if subprocess.run(command, stdout=sys.stderr, pass_fds=[lock], check=False).returncode:
        # The log shows the cause.
        sys.exit(1)
    shutil.rmtree(folder, ignore_errors=True)
    new.rename(folder)
