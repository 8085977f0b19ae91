"""The time of the local cloud, handed in: all that takes time there goes by it, so that tests need not wait."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What can be asked of time, in seconds."""

    def now(self) -> float:
        """Since 1970."""

    def monotonic(self) -> float:
        """Since some moment; no change of the date moves it."""

    async def wait(self, seconds: float) -> None:
        """Let others go on for so long, at least once; below 0 counts as 0."""


class SystemClock:
    """The clock of this computer."""

    def now(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that no change of the date moves."""
        return time.monotonic()

    async def wait(self, seconds: float) -> None:
        """Let others go on for so long."""
        await asyncio.sleep(max(0.0, seconds))


SYSTEM_CLOCK = SystemClock()


def utc(clock: Clock) -> datetime:
    """The date and time."""
    return datetime.fromtimestamp(clock.now(), UTC)


def comes_true(condition: Callable[[], bool], within: float, every: float) -> bool:
    """Whether it does within so many seconds of this computer, looked at `every` so many; at least once. Blocks.

    For what really takes its time, as the end of a process does.
    """
    end = time.monotonic() + within
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(every)
    return True
