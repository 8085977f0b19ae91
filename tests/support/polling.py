"""Waits for something that has to come true of real processes: the one such loop of the tests, with a deadline.

What is looked for is no matter of timing. A test that fails here would have waited for ever.
"""

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE_S = 240.0
"""For whatever is short on a computer with nothing else to do."""
POLL_S = 0.05


def until(
    look: Callable[[], T | None],
    seconds: float = PATIENCE_S,
    *,
    every: float = POLL_S,
    why: Callable[[], object] = lambda: "did not come true in time",
) -> T:
    """What `look` finds, asked again until it is true; `AssertionError` with `why` when the time is over."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, why()
        time.sleep(every)
    return found


async def until_async(look: Callable[[], object], seconds: float = PATIENCE_S, *, every: float = POLL_S) -> None:
    """The same among other work of an event loop; `look` may also be what has to be awaited."""
    deadline = time.monotonic() + seconds
    while not (await found if inspect.isawaitable(found := look()) else found):
        assert time.monotonic() < deadline, "did not come true in time"
        await asyncio.sleep(every)
