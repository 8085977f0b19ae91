"""More machines can be ended at the same time than the plugin has threads of its own."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from components.dynamic.plugin_threads import THREADS, widen

OWN = 4
"""Threads of Pulumi's plugin for dynamic providers."""
EXPECTED_WITHIN_S = 10.0
NOT_EXPECTED_WITHIN_S = 0.3


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """A pool as grpc's server has one."""
    with ThreadPoolExecutor(OWN) as one:
        yield one


def _overlap(pool: ThreadPoolExecutor, jobs: int, within_s: float = EXPECTED_WITHIN_S) -> bool:
    """Whether so many jobs of the pool are under way together before one of them has waited for so long."""
    meeting = threading.Barrier(jobs)

    def wait_for_all_others() -> bool:
        try:
            meeting.wait(within_s)
        except threading.BrokenBarrierError:
            return False
        return True

    under_way = [pool.submit(wait_for_all_others) for _ in range(jobs)]
    return all(one.result(within_s + 5) for one in under_way)


def test_without_it_the_fifth_has_to_wait(pool: ThreadPoolExecutor) -> None:
    assert _overlap(pool, OWN)
    assert not _overlap(pool, OWN + 1, NOT_EXPECTED_WITHIN_S)


def test_a_job_that_asks_for_it_makes_room_for_many(pool: ThreadPoolExecutor) -> None:
    assert pool.submit(widen).result(5) is True
    assert _overlap(pool, 3 * OWN)


def test_asking_twice_or_for_fewer_takes_no_thread_away(pool: ThreadPoolExecutor) -> None:
    assert pool.submit(widen).result(5)
    assert pool.submit(widen, 1).result(5)
    assert pool._max_workers == THREADS


def test_where_there_is_no_pool_it_is_said_and_nothing_happens() -> None:
    assert widen() is False
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.append(widen()))
    thread.start()
    thread.join()
    assert answers == [False]


def test_a_pool_of_another_kind_is_left_alone(pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    def without_its_number() -> bool:
        monkeypatch.setattr(pool, "_max_workers", "4")
        return widen()

    assert pool.submit(without_its_number).result(5) is False
    assert str(pool._max_workers) == "4"
    monkeypatch.undo()
