"""A temporary folder for keys, which does not outlive its program: the next one takes away what a killed one left."""

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "lambda-vllm-ops-"
LOCK = "lock"


@contextmanager
def private_folder() -> Iterator[Path]:
    """A folder of mode 0700 that is gone in the end."""
    _forget_left()
    with tempfile.TemporaryDirectory(prefix=PREFIX) as name:
        folder = Path(name)
        new = folder / f"{LOCK}.new"
        with new.open("w") as lock:
            # Held before it has its name: a folder whose lock is free is one that nobody uses.
            fcntl.flock(lock, fcntl.LOCK_EX)
            new.rename(folder / LOCK)
            try:
                yield folder
            finally:
                _empty(folder)


def _forget_left() -> None:
    """The folders of this user's programs that were killed."""
    for file in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{LOCK}"):
        with suppress(OSError):
            # Anybody may put something of that name there, as a pipe that is never opened at its other end.
            lock = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
            try:
                found = os.fstat(lock)
                if stat.S_ISREG(found.st_mode) and found.st_uid == os.getuid():
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    _empty(file.parent)
                    shutil.rmtree(file.parent)
            finally:
                os.close(lock)


def _empty(folder: Path) -> None:
    """The lock goes last: whoever is killed meanwhile leaves a folder that is found."""
    for file in folder.iterdir():
        if file.name != LOCK:
            file.unlink()
