"""A disk of a machine of a size of its own: a file with a filesystem in it, which only root can mount.

The file has holes: it takes as much of this computer's disk as the machine has written.
"""

import subprocess
from pathlib import Path

from localcloud.machines.errors import MachineError
from localcloud.machines.small_disk import can_mount
from localcloud.machines.small_disk import unmount as unmount_folder

SMALLEST = 16 * 1024 * 1024
"""Bytes; below it ext4 has no room for what it keeps itself."""


def image_of(folder: Path) -> Path:
    """The file beside the folder that it is mounted at."""
    return folder.with_name(f"{folder.name}.img")


def why_not() -> str | None:
    """Why machines cannot have disks of a size, in words; None when they can."""
    if not can_mount():
        return "needs root, and to be allowed to mount"
    try:
        subprocess.run(["mkfs.ext4", "-V"], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "needs mkfs.ext4 (Debian package e2fsprogs)"
    return None


def mount(folder: Path, size: int) -> None:
    """Have a filesystem of `size` bytes at the folder, the one that was there before if there was one.

    Raises:
        MachineError: it cannot be made or mounted.
    """
    if folder.is_mount():
        return
    image = image_of(folder)
    if not image.exists():
        draft = image.with_suffix(".new")
        with draft.open("wb") as file:
            file.truncate(size)
        # No blocks set aside for root: everything on the machine runs as root here.
        _run(["mkfs.ext4", "-q", "-F", "-m", "0", str(draft)], folder)
        draft.rename(image)
    _run(["mount", "-o", "loop", str(image), str(folder)], folder)


def unmount(folder: Path) -> None:
    """Take the filesystem away with all that is in it; nothing when there is none."""
    unmount_folder(folder)
    for file in (image_of(folder), image_of(folder).with_suffix(".new")):
        file.unlink(missing_ok=True)


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise MachineError(f"{folder}: cannot have a disk of its own ({' '.join(done.stderr.split())})")
