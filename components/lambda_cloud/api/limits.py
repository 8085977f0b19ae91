"""Keeping within Lambda's rate limits: 1 request a second, and a launch every 12 seconds (Lambda Cloud API 1.10.0).

The limits are the account's, so all programs of a user share one schedule: a small file under a lock. Times in it are
of the monotonic clock, which is one for all processes of a computer, and which no change of the date moves.
"""

import fcntl
import json
import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from components.dynamic.clock import SYSTEM_CLOCK, Clock
from components.lambda_cloud.api.account_folder import boot_id

REQUEST_INTERVAL_VARIABLE = "LAMBDA_CLOUD_REQUEST_INTERVAL"
LAUNCH_INTERVAL_VARIABLE = "LAMBDA_CLOUD_LAUNCH_INTERVAL"
TIMEOUT_VARIABLE = "LAMBDA_CLOUD_TIMEOUT"
POLL_IN_REQUEST_INTERVALS = 5.0
SHORTEST_POLL_S = 0.2
# A launch was seen to take 9 s until its answer; a launch cut short is the costliest thing to lose.
LAUNCH_TIMEOUT_IN_TIMEOUTS = 3.0
VISIBLE_WITHIN_POLLS = 12
"""A new instance may be missing from the list for some seconds (an assumption: two clients code for it)."""
FURTHEST_RESERVATION_S = 3600.0
"""A moment further ahead than this is not a queue, it is a broken file."""


@dataclass(frozen=True)
class Limits:
    """Seconds between two requests, between two launches, and until an answer is given up."""

    request_interval: float = 1.0
    launch_interval: float = 12.0
    timeout: float = 30.0

    @property
    def poll_interval(self) -> float:
        """Seconds between two looks at something that changes by itself: 5 at Lambda's pace.

        Patience is counted in these, so that it shrinks with the pace of a local cloud.
        """
        return max(SHORTEST_POLL_S, POLL_IN_REQUEST_INTERVALS * self.request_interval)

    @property
    def launch_timeout(self) -> float:
        """Seconds until the answer to a launch is given up."""
        return LAUNCH_TIMEOUT_IN_TIMEOUTS * self.timeout

    @property
    def visible_within(self) -> float:
        """Seconds after which a launched instance is in the list, or does not exist: 60 at Lambda's pace."""
        return VISIBLE_WITHIN_POLLS * self.poll_interval

    @classmethod
    def from_environment(cls) -> "Limits":
        """Lambda's limits, unless the environment says otherwise, as it may for a local cloud that has none."""
        return cls(
            request_interval=_seconds(REQUEST_INTERVAL_VARIABLE, cls.request_interval),
            launch_interval=_seconds(LAUNCH_INTERVAL_VARIABLE, cls.launch_interval),
            timeout=_seconds(TIMEOUT_VARIABLE, cls.timeout) or cls.timeout,
        )


def _seconds(variable: str, default: float) -> float:
    text = os.environ.get(variable, "")
    try:
        return max(0.0, float(text)) if text else default
    except ValueError:
        return default


class Schedule(Protocol):
    """The next free moment of each kind of request, in seconds of the monotonic clock."""

    def open(self) -> AbstractContextManager[dict[str, float]]:
        """The moments, to be read and changed by nobody else meanwhile."""


@dataclass
class OwnSchedule:
    """The schedule of one process."""

    moments: dict[str, float] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def open(self) -> Iterator[dict[str, float]]:
        """Locked among the threads of the process."""
        with self.lock:
            yield self.moments


class SharedSchedule:
    """The schedule of all processes that use one file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._own = OwnSchedule()

    @contextmanager
    def open(self) -> Iterator[dict[str, float]]:
        """Locked among processes; where the file cannot be used, among the threads of this one."""
        with self._own.open() as own:
            try:
                descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            except OSError:
                yield own
                return
            # Opened anew each time, as the lock belongs to the open file; closing it lets go, also when killed.
            with os.fdopen(descriptor, "r+", errors="replace") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                moments = _moments(file.read())
                for kind, moment in own.items():
                    moments[kind] = max(moment, moments.get(kind, moment))
                yield moments
                # Kept here as well, as the disk may be full.
                own.update(moments)
                with suppress(OSError):
                    os.ftruncate(descriptor, 0)
                    os.pwrite(descriptor, json.dumps({"boot": boot_id(), "moments": moments}).encode(), 0)


def _moments(text: str) -> dict[str, float]:
    try:
        record = json.loads(text)
        # Another boot had another clock.
        return {str(k): float(v) for k, v in record["moments"].items()} if record["boot"] == boot_id() else {}
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}


class RateLimiter:
    """Hands out the moments at which a request may leave, by `clock`."""

    def __init__(self, limits: Limits, clock: Clock = SYSTEM_CLOCK, schedule: Schedule | None = None) -> None:
        self._limits = limits
        self.clock = clock
        self._schedule = schedule or OwnSchedule()

    @property
    def limits(self) -> Limits:
        """What the limiter keeps to."""
        return self._limits

    def wait_for_request(self) -> None:
        """Block until the next request may be sent."""
        with self._schedule.open() as moments:
            now = self.clock.monotonic()
            at = self._take_request(moments, now)
        # The place in the queue is taken under the lock, the waiting is done outside it.
        self._sleep_until(at, now)

    def wait_for_launch(self) -> None:
        """Block until the next launch may be sent, which is a request too. Reads of other threads go on meanwhile."""
        while True:
            with self._schedule.open() as moments:
                now = self.clock.monotonic()
                at = _next_free(moments, "launch", now)
                if at <= now:
                    # The interval counts from the moment at which this launch leaves, known only now. Whoever waits
                    # for the next one has no place in a queue: it would have been reckoned from an earlier guess.
                    at = self._take_request(moments, now)
                    moments["launch"] = at + self._limits.launch_interval
                    break
            self._sleep_until(at, now)
        self._sleep_until(at, now)

    def hold(self, seconds: float) -> None:
        """Let no request of the account leave for a while: the edge has banned it."""
        with self._schedule.open() as moments:
            moments["request"] = max(moments.get("request", 0.0), self.clock.monotonic() + seconds)

    def _take_request(self, moments: dict[str, float], now: float) -> float:
        at = _next_free(moments, "request", now)
        moments["request"] = at + self._limits.request_interval
        return at

    def _sleep_until(self, at: float, now: float) -> None:
        if at > now:
            self.clock.sleep(at - now)


def _next_free(moments: dict[str, float], kind: str, now: float) -> float:
    next_free = moments.get(kind, 0.0)
    return max(now, next_free) if next_free < now + FURTHEST_RESERVATION_S else now
