"""The rate limits: a request a second, a launch every twelve."""

import pytest

from components.cloud.limits import LAUNCH_INTERVAL_VARIABLE, REQUEST_INTERVAL_VARIABLE, Limits, RateLimiter


class Time:
    """A clock that moves only by sleeping."""

    def __init__(self) -> None:
        self.now = 1000.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_requests_leave_a_second_apart() -> None:
    time = Time()
    limiter = RateLimiter(Limits(), clock=lambda: time.now, sleep=time.sleep)
    moments = []
    for _ in range(4):
        limiter.wait_for_request()
        moments.append(time.now - 1000)
    assert moments == [0, 1, 2, 3]


def test_launches_leave_twelve_seconds_apart_and_count_as_requests() -> None:
    time = Time()
    limiter = RateLimiter(Limits(), clock=lambda: time.now, sleep=time.sleep)
    limiter.wait_for_request()
    moments = []
    for _ in range(3):
        limiter.wait_for_launch()
        moments.append(time.now - 1000)
    assert moments == [1, 13, 25]


def test_a_pause_in_between_is_not_paid_back_with_a_burst() -> None:
    time = Time()
    limiter = RateLimiter(Limits(), clock=lambda: time.now, sleep=time.sleep)
    limiter.wait_for_request()
    time.sleep(60)
    limiter.wait_for_request()
    limiter.wait_for_request()
    assert time.now == 1000 + 61


def test_lambdas_limits_hold_unless_the_environment_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(REQUEST_INTERVAL_VARIABLE, raising=False)
    monkeypatch.delenv(LAUNCH_INTERVAL_VARIABLE, raising=False)
    assert Limits.from_environment() == Limits(1.0, 12.0)
    monkeypatch.setenv(REQUEST_INTERVAL_VARIABLE, "0.1")
    monkeypatch.setenv(LAUNCH_INTERVAL_VARIABLE, "not a number")
    assert Limits.from_environment() == Limits(0.1, 12.0)
