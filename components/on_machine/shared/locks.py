"""Locks of this machine, which end with the processes that hold them, also after a crash or a reboot."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(file: Path) -> Iterator[int]:
    """Hold a lock, after whoever has it; its descriptor, for a child that has to hold it too."""
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def try_lock(file: Path) -> int | None:
    """The descriptor of a lock that is held from now on until it is closed everywhere; None when another has it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def is_locked(file: Path, *, by_sharers_too: bool = False) -> bool:
    """Whether somebody holds it: alone, or also together with others. Looking takes the lock for a moment."""
    if not file.exists():
        return False
    descriptor = os.open(file, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_EX if by_sharers_too else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
