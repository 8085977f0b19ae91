"""More threads for this plugin.

Pulumi's plugin for dynamic providers answers with four threads (SDK 3.272). Ending a machine takes a thread until
Lambda agrees, a minute or more: with four, the fifth machine of a stack would not even be asked to end meanwhile, and
would bill. The number is raised where it is kept; with an SDK that keeps it elsewhere there are four, and everything
is right, only slower.
"""

import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

THREADS = 64
"""They do nothing but wait."""


def widen(threads: int = THREADS) -> bool:
    """Raise the limit of the pool that this thread belongs to; True when it could be done."""
    pool = _pool_of(threading.current_thread())
    if pool is None:
        return False
    pool._max_workers = max(pool._max_workers, threads)
    return True


def _pool_of(thread: threading.Thread) -> ThreadPoolExecutor | None:
    """The pool, by the weak reference to it that its threads are started with."""
    arguments: tuple[Any, ...] = getattr(thread, "_args", ())
    for argument in arguments:
        pool = argument() if isinstance(argument, weakref.ReferenceType) else None
        if isinstance(pool, ThreadPoolExecutor) and isinstance(getattr(pool, "_max_workers", None), int):
            return pool
    return None
