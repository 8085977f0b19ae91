"""A disk of a machine that holds so many bytes: a filesystem in memory, which only root can mount."""

import os
import subprocess
import tempfile
from pathlib import Path

from localcloud.machines.errors import MachineError


def can_mount() -> bool:
    """Whether this process may mount; root in a container often may not."""
    if os.geteuid() != 0:
        return False
    with tempfile.TemporaryDirectory() as folder:
        try:
            mount(Path(folder), 4096)
        except MachineError:
            return False
        unmount(Path(folder))
    return True


def mount(folder: Path, size: int) -> None:
    """Have an empty filesystem of `size` bytes at the folder; nothing when it has one already.

    Raises:
        MachineError: it cannot be mounted.
    """
    if folder.is_mount():
        return
    # tmpfs takes a size of 0 for no limit (tmpfs(5)).
    options = f"size={max(1, size)},mode=0700"
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "localcloud", folder], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise MachineError(f"{folder}: cannot have a small disk ({' '.join(done.stderr.split())})")


def unmount(folder: Path) -> None:
    """Take the filesystem away with all that is in it; nothing when there is none."""
    if folder.is_mount():
        subprocess.run(["umount", "--lazy", folder], capture_output=True, check=False)
