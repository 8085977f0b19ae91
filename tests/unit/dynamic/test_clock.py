"""Waiting with a deadline, by a clock that is handed in; and the clock that tests hand in."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from components.dynamic.clock import NowAndThen, Patience, wait_until
from tests.support.jumping_clock import JumpingClock


@pytest.fixture
def clock() -> JumpingClock:
    return JumpingClock()


def test_what_is_found_at_the_first_look_is_not_waited_for(clock: JumpingClock) -> None:
    assert wait_until(lambda: "here", Patience(clock, 60), lambda: clock.sleep(5)) == "here"
    assert clock.slept == []


def test_what_is_false_and_there_is_found(clock: JumpingClock) -> None:
    assert wait_until(lambda: False, Patience(clock, 60), lambda: clock.sleep(5)) is False
    assert clock.slept == []


def test_what_comes_meanwhile_is_found_at_the_next_look(clock: JumpingClock) -> None:
    patience = Patience(clock, 60)
    assert wait_until(lambda: patience.used() >= 12 or None, patience, lambda: clock.sleep(5)) is True
    assert clock.slept == [5, 5, 5]
    assert patience.left() == 45


@pytest.mark.parametrize(("seconds", "looks"), [(-1, 1), (0, 1), (10, 3), (12, 4)])
def test_the_last_look_begins_when_no_patience_is_left(clock: JumpingClock, seconds: float, looks: int) -> None:
    looked: list[float] = []
    patience = Patience(clock, seconds)
    assert wait_until(lambda: looked.append(patience.used()), patience, lambda: clock.sleep(5)) is None
    assert len(looked) == looks
    assert looked[-1] >= seconds


def test_now_and_then_something_may_be_said(clock: JumpingClock) -> None:
    at_once, later = NowAndThen(clock, 60), NowAndThen(clock, 60, first=60)
    said: list[tuple[bool, bool]] = []
    for _ in range(4):
        said.append((at_once.is_due(), later.is_due()))
        clock.sleep(30)
    assert said == [(True, False), (False, False), (True, True), (False, False)]


def test_time_passes_alike_for_threads_that_are_at_work_together(clock: JumpingClock) -> None:
    together, woke = threading.Barrier(2), []

    def work(seconds: float) -> None:
        with clock.at_work():
            together.wait(60)
            for _ in range(2):
                clock.sleep(seconds)
                woke.append(clock.monotonic())

    began = clock.monotonic()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, (3.0, 5.0)))
    assert [one - began for one in woke] == [3, 5, 6, 10]


def test_a_sleeper_does_not_wait_for_a_cloud_that_ends_in_that_moment(
    clock: JumpingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.new_event_loop()
    ask, runs = loop.call_soon_threadsafe, [True]

    def end_when_asked(*asked: Any, **words: Any) -> asyncio.Handle:
        handle = ask(*asked, **words)
        runs.clear()
        loop.close()
        return handle

    monkeypatch.setattr(loop, "is_running", lambda: bool(runs))
    monkeypatch.setattr(loop, "call_soon_threadsafe", end_when_asked)
    clock.know(loop)
    clock.sleep(5)
    assert loop.is_closed()


def test_before_a_sleeper_goes_on_all_has_happened_that_was_due(clock: JumpingClock) -> None:
    happened: list[float] = []
    began, ready = clock.monotonic(), threading.Event()

    async def live() -> None:
        ready.set()
        for _ in range(3):
            await clock.wait(2)
            happened.append(clock.monotonic() - began)

    cloud = threading.Thread(target=lambda: asyncio.run(live()))
    cloud.start()
    assert ready.wait(60)
    while not clock.is_waited_for():
        pass
    clock.sleep(5)
    assert happened == [2, 4]
    clock.sleep(1)
    cloud.join(60)
    assert happened == [2, 4, 6]
