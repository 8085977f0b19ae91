"""What is in the account's filesystems: one folder each, kept for as long as the API knows the filesystem."""

import asyncio
import math
import os
from collections.abc import Iterator
from pathlib import Path

from localcloud.account.folders import remove_folder
from localcloud.clock import SYSTEM_CLOCK, Clock

MEASURED_AFTER = 60.0
"""Seconds at time scale 1 for which a size is believed. Lambda measures every few hours."""


class FilesystemFolders:
    """Folders below `root`, named by the filesystems' ids. Making the object touches nothing.

    `time_scale` stretches the time for which a measured size is believed.
    """

    def __init__(self, root: Path, time_scale: float, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._root = root.absolute()
        self._believed = MEASURED_AFTER * time_scale
        self._measured: dict[str, tuple[float, int]] = {}

    def folder(self, filesystem_id: str) -> Path:
        """Where the contents of a filesystem are."""
        return self._root / filesystem_id

    def make(self, filesystem_id: str) -> Path:
        """Have the folder; the folder."""
        folder = self.folder(filesystem_id)
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        return folder

    async def bytes_used(self, filesystem_id: str) -> int:
        """Size of what is in a filesystem, measured a while ago."""
        moment, size = self._measured.get(filesystem_id, (-math.inf, 0))
        if self._clock.monotonic() - moment >= self._believed:
            size = await asyncio.to_thread(size_of, self.folder(filesystem_id))
            self._measured[filesystem_id] = (self._clock.monotonic(), size)
        return size

    def remove(self, filesystem_id: str) -> None:
        """Remove a filesystem and all that is in it; fine when it is gone already. Blocks.

        Raises:
            LocalCloudError: something in it cannot be removed.
        """
        self._measured.pop(filesystem_id, None)
        remove_folder(self.folder(filesystem_id))

    def keep_only(self, filesystem_ids: set[str]) -> None:
        """Have the folders of these filesystems, and no other: what a killed removal has left goes. Blocks."""
        for filesystem_id in filesystem_ids:
            self.make(filesystem_id)
        for folder in self._root.iterdir() if self._root.exists() else ():
            if folder.name not in filesystem_ids:
                remove_folder(folder)


def size_of(folder: Path) -> int:
    """Bytes of all files in a folder, each counted once however many names it has. Blocks."""
    sizes = {(stat.st_dev, stat.st_ino): stat.st_size for stat in _files(folder)}
    return sum(sizes.values())


def _files(folder: Path) -> Iterator[os.stat_result]:
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                yield os.lstat(os.path.join(parent, name))  # noqa: PTH118 - a walk of many thousand files
            except FileNotFoundError:
                continue
