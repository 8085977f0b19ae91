"""Whether the machine's disk can hold what is to be installed."""

import os
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

from components.on_machine.shared.work import WorkError

MEGABYTE = 10**6
BLOCK = 512
"""Bytes of a block, as `st_blocks` counts them (stat(2))."""
SPARE_MB = 1000


def gigabytes(megabytes: float) -> str:
    """As they are told: `1.5` for 1500."""
    return f"{megabytes / 1000:.1f}"


def free_mb(folder: Path) -> int:
    """Megabytes that a user can still write on the disk of a folder."""
    command = ["df", "--output=avail", "-B", str(MEGABYTE), str(folder)]
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return int(said.stdout.split()[-1])


def check_disk(needed_mb: int, disk: Path, brought: Iterable[Path], *, free: Callable[[Path], int] = free_mb) -> None:
    """Compare what is needed with what is free. `WorkError` when the disk cannot hold it.

    What an earlier attempt has brought, into the folders `brought`, need not be brought again.
    """
    there, needed = free(disk), needed_mb + SPARE_MB
    if there >= needed:
        return
    present = used_mb(brought)
    if there + present < needed:
        raise WorkError(
            f"{gigabytes(there)} GB free on the machine's disk, vLLM needs {gigabytes(needed - present)} GB",
            "disk-full",
        )


def used_mb(folders: Iterable[Path]) -> int:
    """Megabytes that folders take; files that are linked between them count once. A missing folder takes nothing."""
    used, seen = 0, set()
    for folder in folders:
        for root, _, names in os.walk(folder):
            for name in names:
                try:
                    file = os.lstat(os.path.join(root, name))  # noqa: PTH118 - a hundred thousand files, quickly
                except OSError:
                    continue
                if (file.st_dev, file.st_ino) not in seen:
                    seen.add((file.st_dev, file.st_ino))
                    used += file.st_blocks * BLOCK
    return used // MEGABYTE
