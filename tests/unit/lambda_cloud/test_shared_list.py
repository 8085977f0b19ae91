"""A list that many ask for is fetched once for all of them, and is never older than they can do with."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from components.lambda_cloud.api.shared_list import ANY, SharedList
from tests.support.jumping_clock import JumpingClock


class Fetches:
    """Gives a new number each time; `gate` closed holds a fetch up."""

    def __init__(self) -> None:
        self.count = 0
        self.gate = threading.Event()
        self.gate.set()
        self.began = threading.Event()

    def __call__(self) -> list[int]:
        self.count += 1
        self.began.set()
        assert self.gate.wait(10)
        return [self.count]


def _while_one_is_fetching(
    fetches: Fetches, shared: SharedList[list[int]], ask: Callable[[], list[int]], asked: threading.Semaphore
) -> list[int]:
    """What twenty get who come while a fetch is under way that somebody else began; each of them releases `asked`."""
    fetches.gate.clear()
    with ThreadPoolExecutor(21) as pool:
        first = pool.submit(shared.get)
        try:
            assert fetches.began.wait(10)
            # The first may have released it too.
            while asked.acquire(blocking=False):
                pass
            others = [pool.submit(ask) for _ in range(20)]
            for _ in others:
                assert asked.acquire(timeout=10)
        finally:
            fetches.gate.set()
        assert first.result(10) == [1]
        return [one.result(10)[0] for one in others]


def test_whoever_comes_while_a_list_is_fetched_gets_that_answer_if_it_will_do() -> None:
    fetches, asked = Fetches(), threading.Semaphore(0)
    clock = JumpingClock()
    shared = SharedList(fetches, clock)
    moment = clock.monotonic()

    def ask() -> list[int]:
        asked.release()
        return shared.get(moment)

    assert _while_one_is_fetching(fetches, shared, ask, asked) == [1] * 20
    assert fetches.count == 1


def test_whoever_asks_for_now_does_not_get_an_answer_to_an_earlier_question_but_shares_the_next() -> None:
    fetches, asked = Fetches(), threading.Semaphore(0)

    class Moments(JumpingClock):
        """Tells when it is looked at."""

        def monotonic(self) -> float:
            now = super().monotonic()
            # Only now it is certain that this one asks for something before the next fetch.
            asked.release()
            return now

    shared = SharedList(fetches, Moments(is_ticking=True))
    assert set(_while_one_is_fetching(fetches, shared, shared.get, asked)) == {2}
    assert fetches.count == 2


def test_an_answer_is_as_old_as_its_question() -> None:
    clock = JumpingClock()
    began = clock.monotonic()

    def fetch() -> list[float]:
        clock.sleep(5)
        return [clock.monotonic() - began]

    shared = SharedList(fetch, clock)
    assert shared.get(began) == [5]
    # The answer came at 5, and what happened at 1 may not be in it.
    assert shared.get(began + 1) == [10]
    assert shared.get(began + 5) == [10]
    assert shared.get(began + 6) == [15]


def test_any_list_will_do_only_once_there_is_one() -> None:
    fetches = Fetches()
    shared = SharedList(fetches, JumpingClock(is_ticking=True))
    assert [shared.get(ANY), shared.get(ANY)] == [[1], [1]]


def test_a_list_that_is_empty_is_a_list() -> None:
    fetched: list[int] = []

    def fetch() -> list[str]:
        fetched.append(1)
        return []

    shared = SharedList(fetch, JumpingClock(is_ticking=True))
    assert [shared.get(ANY), shared.get(ANY)] == [[], []]
    assert len(fetched) == 1


def test_an_error_is_not_remembered_and_no_older_list_is_given_in_its_place() -> None:
    troubles = [False, True, False]

    def fetch() -> list[str]:
        if troubles.pop(0):
            raise ConnectionError("lost")
        return [f"{len(troubles)} to come"]

    shared = SharedList(fetch, JumpingClock(is_ticking=True))
    shared.get()
    with pytest.raises(ConnectionError):
        shared.get()
    assert shared.get() == ["0 to come"]


def test_a_list_from_before_a_deletion_is_given_to_nobody() -> None:
    fetches = Fetches()
    shared = SharedList(fetches, JumpingClock(is_ticking=True))
    shared.get()
    with shared.shrinks():
        assert shared.get(ANY) == [1]
    assert shared.get(ANY) == [2]


def test_a_deletion_that_failed_may_have_been_carried_out_all_the_same() -> None:
    fetches = Fetches()
    shared = SharedList(fetches, JumpingClock(is_ticking=True))
    shared.get()
    with pytest.raises(ConnectionError), shared.shrinks():
        raise ConnectionError("lost")
    assert shared.get(ANY) == [2]
