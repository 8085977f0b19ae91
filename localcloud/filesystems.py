"""What is in the account's filesystems: one folder each, kept for as long as the API knows the filesystem."""

import os
from collections.abc import Iterator
from pathlib import Path

from localcloud.folders import remove_folder


class FilesystemFolders:
    """Folders below `root`, named by the filesystems' ids. Making the object touches nothing."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()

    def folder(self, filesystem_id: str) -> Path:
        """Where the contents of a filesystem are."""
        return self._root / filesystem_id

    def make(self, filesystem_id: str) -> Path:
        """Have the folder; the folder."""
        folder = self.folder(filesystem_id)
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        return folder

    def remove(self, filesystem_id: str) -> None:
        """Remove a filesystem and all that is in it; fine when it is gone already. Blocks.

        Raises:
            LocalCloudError: something in it cannot be removed.
        """
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
