"""A clock that jumps: seconds pass when everybody waits for them, and at no other time."""

import asyncio
import heapq
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from contextlib import contextmanager
from dataclasses import dataclass, field

NOON = 1795953600.0
"""Of 29 November 2026 in UTC, when it begins."""
STARTED = 1000.0
"""What its monotonic time begins with."""
TICKS = 1_000_000
"""In a second. Whole ones are counted, so that whoever waits for what is left of a time gets to its end."""
TURNS = 100
"""More turns of a loop than what follows from one event takes, where nothing has to be waited for."""
LOOK_S = 0.05
"""Real seconds between two looks whether a loop that was asked is still there."""


@dataclass(order=True)
class _Wait:
    """A task that waits on a loop."""

    due: int
    number: int
    loop: asyncio.AbstractEventLoop = field(compare=False)
    over: "asyncio.Future[None]" = field(compare=False)

    def end(self) -> None:
        """Let the task go on; from within its loop."""
        if not self.over.done():
            self.over.set_result(None)


class JumpingClock:
    """The clock of the program (`sleep`, in threads) and of a local cloud (`wait`, on the loop of another thread).

    Before a sleeping thread goes on, the cloud has done all that was due by then, and what follows from it. `slept` is
    how long each sleep was, in seconds, in the order in which they began. `is_ticking`: each look takes a moment, as
    with any other clock, so that none is as late as another; without it whatever is done takes no time at all.
    """

    def __init__(self, began: float = NOON, is_ticking: bool = False) -> None:
        self._began = began
        self._tick = int(is_ticking)
        self.slept: list[float] = []
        self._passed = 0
        self._change = threading.Condition()
        self._asleep: list[int] = []
        self._at_work = 0
        self._is_jumping = False
        self._waits: list[_Wait] = []
        self._acts: list[tuple[int, Callable[[], object]]] = []
        self._count = 0
        self._loops: set[asyncio.AbstractEventLoop] = set()

    def now(self) -> float:
        """Seconds since 1970."""
        return self._began + self._passed / TICKS

    def monotonic(self) -> float:
        """Seconds."""
        with self._change:
            self._passed += self._tick
            return STARTED + self._passed / TICKS

    # For the program

    def sleep(self, seconds: float) -> None:
        """Block until so many seconds have passed; they pass at once when nobody else is at work."""
        with self._change:
            self.slept.append(seconds)
            due = self._passed + _ticks(seconds)
            self._asleep.append(due)
            while due in self._asleep:
                if self._is_jumping or len(self._asleep) < self._at_work:
                    assert self._change.wait(60), "somebody at work does not come to an end"
                else:
                    self._jump(min(self._asleep))

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """This thread is one of several for which time passes alike: only when all of them sleep."""
        with self._change:
            self._at_work += 1
        try:
            yield
        finally:
            with self._change:
                self._at_work -= 1
                self._change.notify_all()

    def _jump(self, until: int) -> None:
        """Called with the lock held, which loops need meanwhile."""
        self._is_jumping = True
        self._change.release()
        try:
            self._settle()
            while (wait := self._next(until)) is not None:
                wait.loop.call_soon_threadsafe(wait.end)
                self._settle()
        finally:
            self._change.acquire()
            self._passed = max(self._passed, until)
            self._asleep = [due for due in self._asleep if due > self._passed]
            self._is_jumping = False
            self._change.notify_all()
        due = [act for when, act in self._acts if when <= self._passed]
        self._acts = [one for one in self._acts if one[0] > self._passed]
        for act in due:
            act()

    def _settle(self) -> None:
        """Have the loops of other threads do all that they can do without waiting."""
        for loop in [one for one in self._loops if one.is_running()]:
            turns = _turns()
            try:
                settled = asyncio.run_coroutine_threadsafe(turns, loop)
                # One that ends right after it was asked answers nothing.
                while not wait([settled], LOOK_S).done and not loop.is_closed():
                    pass
            except RuntimeError:
                # It had ended before.
                pass
            turns.close()

    def at(self, seconds: float, act: Callable[[], object]) -> None:
        """Have `act` called when so many seconds have passed, by the thread that has them pass."""
        with self._change:
            self._acts.append((self._passed + _ticks(seconds), act))

    # For a local cloud

    def know(self, loop: asyncio.AbstractEventLoop) -> None:
        """Time passes for what runs on this loop too."""
        self._loops.add(loop)

    async def wait(self, seconds: float) -> None:
        """Let others go on until so many seconds have passed."""
        loop = asyncio.get_running_loop()
        self.know(loop)
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        over: asyncio.Future[None] = loop.create_future()
        with self._change:
            self._count += 1
            heapq.heappush(self._waits, _Wait(self._passed + _ticks(seconds), self._count, loop, over))
        await over

    def is_waited_for(self) -> bool:
        """Whether a task waits on a loop."""
        with self._change:
            return any(not one.over.done() for one in self._waits)

    # For tests on the cloud's own loop

    async def pass_by(self, seconds: float) -> None:
        """Let so many seconds pass for the tasks of this loop."""
        await self._pass_until(self._passed + _ticks(seconds))

    async def pass_until_next(self) -> bool:
        """Let time pass until something happens; False when nobody waits for anything."""
        with self._change:
            due = [one.due for one in self._waits if not one.over.done()]
        if due:
            await self._pass_until(min(due))
        return bool(due)

    async def _pass_until(self, until: int) -> None:
        await _turns()
        while (wait := self._next(until)) is not None:
            wait.end()
            await _turns()
        self._passed = max(self._passed, until)

    def _next(self, until: int) -> _Wait | None:
        """The next wait that is over by then, taken out; it is as late as that from now on."""
        with self._change:
            while self._waits and self._waits[0].due <= until:
                wait = heapq.heappop(self._waits)
                if not wait.over.done() and not wait.loop.is_closed():
                    self._passed = max(self._passed, wait.due)
                    return wait
        return None


def _ticks(seconds: float) -> int:
    """No time at all is none, and any other is one tick at least."""
    return max(1, round(seconds * TICKS)) if seconds > 0 else 0


def no_sleep(seconds: float) -> None:
    """In the place of `time.sleep` where nobody may wait for this computer's clock."""
    raise AssertionError(f"{seconds} s are really slept: hand a clock in")


async def _turns() -> None:
    for _ in range(TURNS):
        await asyncio.sleep(0)
