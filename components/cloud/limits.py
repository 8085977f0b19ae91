"""Keeping within Lambda's rate limits: 1 request a second, and a launch every 12 seconds (Lambda Cloud API 1.10.0)."""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

REQUEST_INTERVAL_VARIABLE = "LAMBDA_CLOUD_REQUEST_INTERVAL"
LAUNCH_INTERVAL_VARIABLE = "LAMBDA_CLOUD_LAUNCH_INTERVAL"
POLL_IN_REQUEST_INTERVALS = 5.0
SHORTEST_POLL_S = 0.2


@dataclass(frozen=True)
class Limits:
    """Seconds between two requests, and between two launches."""

    request_interval: float = 1.0
    launch_interval: float = 12.0

    @property
    def poll_interval(self) -> float:
        """Seconds between two looks at something that changes by itself."""
        return max(SHORTEST_POLL_S, POLL_IN_REQUEST_INTERVALS * self.request_interval)

    @classmethod
    def from_environment(cls) -> "Limits":
        """Lambda's limits, unless the environment says otherwise, as it may for a local cloud that has none."""
        return cls(
            request_interval=_seconds(REQUEST_INTERVAL_VARIABLE, cls.request_interval),
            launch_interval=_seconds(LAUNCH_INTERVAL_VARIABLE, cls.launch_interval),
        )


def _seconds(variable: str, default: float) -> float:
    text = os.environ.get(variable, "")
    try:
        return max(0.0, float(text)) if text else default
    except ValueError:
        return default


class RateLimiter:
    """Hands out the moments at which a request may leave; one for the whole process, as the limit is the account's.

    `clock` and `sleep` are in seconds and can be replaced in tests.
    """

    def __init__(
        self,
        limits: Limits,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._next_request = 0.0
        self._next_launch = 0.0

    @property
    def limits(self) -> Limits:
        """What the limiter keeps to."""
        return self._limits

    def pause(self, seconds: float) -> None:
        """Wait before asking again; here so that tests replace every wait in one place."""
        self._sleep(seconds)

    def wait_for_request(self) -> None:
        """Block until the next request may be sent."""
        # The place in the queue is taken under the lock, the waiting is done outside it.
        with self._lock:
            now = self._clock()
            at = max(now, self._next_request)
            self._next_request = at + self._limits.request_interval
        if at > now:
            self._sleep(at - now)

    def wait_for_launch(self) -> None:
        """Block until the next launch may be sent. Reads of other threads go on meanwhile."""
        with self._lock:
            now = self._clock()
            at = max(now, self._next_launch)
            self._next_launch = at + self._limits.launch_interval
        if at > now:
            self._sleep(at - now)
        self.wait_for_request()
