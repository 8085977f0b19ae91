"""Remove whole folders, whatever permissions the programs that wrote them have set."""

import os
import shutil
from pathlib import Path

from localcloud.clock import comes_true
from localcloud.errors import LocalCloudError

_PATIENCE = 2.0
"""Seconds for which somebody may still be writing into it."""


def remove_folder(folder: Path) -> None:
    """Take a folder away with all that is in it; fine when it is gone already. Blocks, for gigabytes for seconds.

    Raises:
        LocalCloudError: something in it cannot be removed.
    """
    if not comes_true(lambda: _is_removed(folder), _PATIENCE, every=0.1):
        raise LocalCloudError(f"{folder} cannot be removed; remove it by hand")


def _is_removed(folder: Path) -> bool:
    shutil.rmtree(folder, ignore_errors=True)
    if not folder.exists():
        return True
    _make_removable(folder)
    return False


def _make_removable(folder: Path) -> None:
    """Give the owner back the folders that a program has made read-only."""
    for parent, names, _ in os.walk(folder):
        for path in (Path(parent), *(Path(parent, name) for name in names)):
            if not path.is_symlink() and path.exists():
                path.chmod(0o700)
