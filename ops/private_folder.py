"""A temporary folder for keys, which does not outlive its program: the next one takes away what a killed one left."""

import fcntl
import shutil
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
            yield folder


def _forget_left() -> None:
    """The folders of programs that were killed; those of other users cannot be opened."""
    for file in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{LOCK}"):
        with suppress(OSError), file.open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(file.parent)
