"""Time, handed in: whoever looks at a clock or waits is given one, so that tests need not wait."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

Found = TypeVar("Found")


class Clock(Protocol):
    """What can be asked of time, in seconds."""

    def now(self) -> float:
        """Since 1970: the date, which somebody may set."""

    def monotonic(self) -> float:
        """Since some moment that is the same for all processes of a computer until it is started anew."""

    def sleep(self, seconds: float) -> None:
        """Block this thread."""


class SystemClock:
    """The clock of this computer."""

    def now(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that no change of the date moves."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Block this thread."""
        time.sleep(seconds)


SYSTEM_CLOCK = SystemClock()


@dataclass
class Patience:
    """So many seconds from now on."""

    clock: Clock
    seconds: float
    began: float = field(init=False)

    def __post_init__(self) -> None:
        self.began = self.clock.monotonic()

    def used(self) -> float:
        """Seconds that have passed."""
        return self.clock.monotonic() - self.began

    def left(self) -> float:
        """Seconds until it is at its end, below 0 after that."""
        return self.seconds - self.used()


class NowAndThen:
    """Lets something be said once in `every` seconds, for the first time after `first`."""

    def __init__(self, clock: Clock, every: float, first: float = 0.0) -> None:
        self._clock = clock
        self._every = every
        self._next = clock.monotonic() + first

    def is_due(self) -> bool:
        """Whether it may be said now; asking uses it up."""
        now = self._clock.monotonic()
        if now < self._next:
            return False
        self._next = now + self._every
        return True


def wait_until(look: Callable[[], Found | None], patience: Patience, pause: Callable[[], None]) -> Found | None:
    """What `look` finds, with pauses between the looks; None when the patience ends.

    The last look begins when there is no patience left, so that nothing is given up unseen; there is always one.
    """
    while True:
        is_last = patience.left() <= 0
        found = look()
        if found is not None or is_last:
            return found
        pause()
