"""The programs for the machine, laid on a home directory as an update lays them."""

import base64
import gzip
import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from components.machine.host import ARCHIVE, unpack_command
from components.on_machine.shared.paths import BASE, RELEASE, RELEASES, SETTINGS
from components.vllm.programs import PACKAGE, PROGRAMS

PIECE = 100_000


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


def lay_archive(ssh: Callable[[str], str]) -> None:
    """Send them to a machine as the archive that an update sends, in pieces that fit a command line."""
    content = base64.b64encode(gzip.compress(PROGRAMS.archive)).decode()
    for at in range(0, len(content), PIECE):
        ssh(f"echo {content[at : at + PIECE]} >> {ARCHIVE}.base64")
    ssh(f"base64 -d {ARCHIVE}.base64 | gzip -d > {ARCHIVE} && {unpack_command(PROGRAMS)}")


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
