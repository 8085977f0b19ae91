"""More machines can be ended at the same time than the plugin has threads of its own."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from components.dynamic.plugin_threads import THREADS, widen

OWN = 4
"""Threads of Pulumi's plugin for dynamic providers."""
PATIENCE_S = 60.0
"""No test comes near it."""


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """A pool as grpc's server has one."""
    with ThreadPoolExecutor(OWN) as one:
        yield one


@contextmanager
def _busy(pool: ThreadPoolExecutor, jobs: int) -> Iterator[None]:
    """So many jobs of the pool are under way together as long as the context lasts."""
    meeting, over = threading.Barrier(jobs + 1), threading.Event()

    def work() -> None:
        meeting.wait(PATIENCE_S)
        over.wait(PATIENCE_S)

    under_way = [pool.submit(work) for _ in range(jobs)]
    meeting.wait(PATIENCE_S)
    try:
        yield
    finally:
        over.set()
        for one in under_way:
            one.result(PATIENCE_S)


def test_without_it_the_fifth_has_to_wait(pool: ThreadPoolExecutor) -> None:
    with _busy(pool, OWN):
        fifth = pool.submit(str)
        assert not fifth.running()
        assert not fifth.done()
        assert len(pool._threads) == OWN
    assert fifth.result(PATIENCE_S) == ""


def test_a_job_that_asks_for_it_makes_room_for_many(pool: ThreadPoolExecutor) -> None:
    assert pool.submit(widen).result(PATIENCE_S) is True
    with _busy(pool, 3 * OWN):
        pass


def test_asking_twice_or_for_fewer_takes_no_thread_away(pool: ThreadPoolExecutor) -> None:
    assert pool.submit(widen).result(PATIENCE_S)
    assert pool.submit(widen, 1).result(PATIENCE_S)
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

    assert pool.submit(without_its_number).result(PATIENCE_S) is False
    assert str(pool._max_workers) == "4"
    monkeypatch.undo()
