"""The rate limits: a request a second, a launch every twelve."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from components.lambda_cloud.api import limits
from components.lambda_cloud.api.account_folder import boot_id
from components.lambda_cloud.api.limits import (
    LAUNCH_INTERVAL_VARIABLE,
    REQUEST_INTERVAL_VARIABLE,
    Limits,
    RateLimiter,
    SharedSchedule,
)
from tests.support.jumping_clock import NOON, JumpingClock


def test_requests_leave_a_second_apart() -> None:
    clock = JumpingClock()
    limiter = RateLimiter(Limits(), clock)
    moments = []
    for _ in range(4):
        limiter.wait_for_request()
        moments.append(sum(clock.slept))
    assert moments == [0, 1, 2, 3]


def test_launches_leave_twelve_seconds_apart_and_count_as_requests() -> None:
    clock = JumpingClock()
    limiter = RateLimiter(Limits(), clock)
    limiter.wait_for_request()
    moments = []
    for _ in range(3):
        limiter.wait_for_launch()
        moments.append(sum(clock.slept))
    assert moments == [1, 13, 25]


def test_a_pause_in_between_is_not_paid_back_with_a_burst() -> None:
    clock = JumpingClock()
    limiter = RateLimiter(Limits(), clock)
    limiter.wait_for_request()
    clock.sleep(60)
    limiter.wait_for_request()
    limiter.wait_for_request()
    assert sum(clock.slept) == 61


def test_lambdas_limits_hold_unless_the_environment_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(REQUEST_INTERVAL_VARIABLE, raising=False)
    monkeypatch.delenv(LAUNCH_INTERVAL_VARIABLE, raising=False)
    assert Limits.from_environment() == Limits(1.0, 12.0)
    monkeypatch.setenv(REQUEST_INTERVAL_VARIABLE, "0.1")
    monkeypatch.setenv(LAUNCH_INTERVAL_VARIABLE, "not a number")
    assert Limits.from_environment() == Limits(0.1, 12.0)


def _limiter(path: Path, clock: JumpingClock) -> RateLimiter:
    """A program of its own as far as the file goes."""
    return RateLimiter(Limits(), clock, SharedSchedule(path))


def test_two_programs_of_one_account_together_keep_to_its_limits(tmp_path: Path) -> None:
    clock = JumpingClock()
    one, other = (_limiter(tmp_path / "schedule.json", clock) for _ in range(2))
    moments = []
    for wait in (one.wait_for_request, other.wait_for_request, one.wait_for_launch, other.wait_for_launch):
        wait()
        moments.append(sum(clock.slept))
    assert moments == [0, 1, 2, 14]


def test_the_interval_counts_from_the_launch_that_left_also_for_a_program_that_waits_already(tmp_path: Path) -> None:
    clock = JumpingClock()
    one, other = (_limiter(tmp_path / "schedule.json", clock) for _ in range(2))
    left: list[float] = []

    def launch(limiter: RateLimiter) -> None:
        with clock.at_work():
            together.wait(60)
            limiter.wait_for_launch()
            left.append(clock.now() - NOON)

    one.hold(3)
    together = threading.Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(launch, (one, other)))
    assert left == [3, 15]


def test_a_ban_that_one_program_got_keeps_the_other_away_too(tmp_path: Path) -> None:
    clock = JumpingClock()
    one, other = (_limiter(tmp_path / "schedule.json", clock) for _ in range(2))
    one.hold(10)
    other.wait_for_request()
    assert clock.slept == [10]
    one.wait_for_request()
    assert clock.slept == [10, 1]


def test_a_shorter_ban_does_not_end_a_longer_one(tmp_path: Path) -> None:
    clock = JumpingClock()
    limiter = _limiter(tmp_path / "schedule.json", clock)
    limiter.hold(30)
    limiter.hold(5)
    limiter.wait_for_request()
    assert clock.slept == [30]


def test_the_schedule_of_another_boot_is_ignored_since_its_clock_was_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = JumpingClock()
    _limiter(tmp_path / "schedule.json", clock).hold(600)
    monkeypatch.setattr(limits, "boot_id", lambda: "after a reboot")
    _limiter(tmp_path / "schedule.json", clock).wait_for_request()
    assert clock.slept == []


def _written(moments: object) -> bytes:
    return json.dumps({"boot": boot_id(), "moments": moments}).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"half a {",
        b"\xff\xfe\x00",
        b"[1, 2]",
        b'"text"',
        b"{}",
        _written([1]),
        _written({"request": "soon"}),
        _written({"request": None}),
        _written({"request": 1e12}),
        _written({"request": float("nan")}),
        _written({"request": float("inf"), "launch": float("inf")}),
    ],
)
def test_a_broken_file_holds_nobody_up_and_is_right_again_afterwards(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "schedule.json"
    path.write_bytes(content)
    clock = JumpingClock()
    limiter = _limiter(path, clock)
    limiter.wait_for_launch()
    assert clock.slept == []
    _limiter(path, clock).wait_for_request()
    assert clock.slept == [1]


def test_where_no_file_can_be_made_the_limits_hold_within_the_program(tmp_path: Path) -> None:
    clock = JumpingClock()
    limiter = _limiter(tmp_path / "missing" / "schedule.json", clock)
    for _ in range(3):
        limiter.wait_for_request()
    assert clock.slept == [1, 1]


@pytest.mark.parametrize("date", [0.0, 4e9])
def test_a_clock_that_is_set_to_another_date_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, date: float
) -> None:
    clock = JumpingClock()
    one, other = (_limiter(tmp_path / "schedule.json", clock) for _ in range(2))
    one.wait_for_request()
    monkeypatch.setattr(clock, "now", lambda: date)
    other.wait_for_request()
    one.wait_for_request()
    assert clock.slept == [1, 1]


class StoppedClock(JumpingClock):
    """Time stands still, however long anybody sleeps."""

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def test_programs_that_ask_at_the_same_time_get_a_place_each_and_leave_none_out(tmp_path: Path) -> None:
    clock = StoppedClock()
    barrier = threading.Barrier(8)

    def hammer() -> None:
        # Its own open file, as in a process of its own; time stands still, so that a place is the wait for it.
        limiter = RateLimiter(Limits(), clock, SharedSchedule(tmp_path / "schedule.json"))
        barrier.wait()
        for _ in range(25):
            limiter.wait_for_request()

    threads = [threading.Thread(target=hammer) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # The first does not wait at all.
    assert sorted(clock.slept) == [float(place) for place in range(1, 200)]
