"""The network edge in front of Lambda's API (Cloudflare): it answers before the API sees a request, and not in JSON."""

from collections import deque
from dataclasses import dataclass
from typing import Literal

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from localcloud.clock import Clock
from localcloud.paths import API_PREFIX

LAUNCH_PATH = f"{API_PREFIX}/instance-operations/launch"

REQUEST_SECONDS = 1.0
LAUNCH_SECONDS = 12.0
"""Lambda's intervals (API 1.10.0)."""


@dataclass(frozen=True)
class Ban:
    """When the edge has had enough of a client that goes on asking, in refusals and seconds."""

    refusals: int
    within: float
    seconds: float


BAN = Ban(refusals=20, within=15.0, seconds=30.0)
"""An assumption: it is known that the edge bans for a while, and neither after what nor for how long.

A client that waits a second after each refusal stays below it; a few that are refused at the same moment do too.
"""

RateLimit = float | Literal["lambda", "off"]
"""Lambda's limits, none, or a factor on Lambda's intervals."""


class TokenBucket:
    """`burst` requests at once, then one each `seconds`."""

    def __init__(self, seconds: float, burst: float, clock: Clock) -> None:
        self._seconds = seconds
        self._burst = burst
        self._clock = clock
        self._tokens = burst
        self._filled = clock.monotonic()

    def take(self) -> bool:
        """Whether a request may pass now."""
        if self.left() < 1:
            return False
        self._tokens -= 1
        return True

    def left(self) -> float:
        """How many requests may pass now; the part of one is the part of its interval that is over."""
        now = self._clock.monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._filled) / self._seconds)
        self._filled = now
        return self._tokens


class Bouncer:
    """Counts refusals and shuts the door; `factor` stretches all of the ban's times. A ban is not made longer."""

    def __init__(self, ban: Ban, factor: float, clock: Clock) -> None:
        self._ban = ban
        self._factor = factor
        self._clock = clock
        self._refused: deque[float] = deque(maxlen=ban.refusals)
        self._shut_until = clock.monotonic()

    def shut_for(self) -> float:
        """Seconds for which the ban still holds, 0 when there is none."""
        return max(0.0, self._shut_until - self._clock.monotonic())

    def refused(self) -> None:
        """A request came too early; perhaps it was one too many."""
        now = self._clock.monotonic()
        self._refused.append(now)
        if len(self._refused) == self._ban.refusals and now - self._refused[0] < self._ban.within * self._factor:
            self._shut_until = now + self._ban.seconds * self._factor
            self._refused.clear()


REFUSED_AGENT = "Python-urllib/"
"""What Python's own urllib calls itself: refused live (Cloudflare error 1010). Of no other is that known.

That a request without a User-Agent passes, which some HTTP libraries send, is an assumption: nobody has tried.
"""


def check_user_agent() -> Middleware:
    """Refuses the one agent that is known to be refused."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.headers.get("User-Agent", "").startswith(REFUSED_AGENT):
            return web.Response(status=403, text="error code: 1010")
        return await handler(request)

    return check


class RateLimiter:
    """One request and one launch for each of Lambda's intervals times `factor`, the same at every time scale.

    The small bursts forgive a client that keeps to the limit and whose requests arrive unevenly. One that goes on
    without waiting is banned: for a while it gets no request through at all.
    """

    def __init__(self, factor: float, clock: Clock) -> None:
        self._requests = TokenBucket(REQUEST_SECONDS * factor, 2.0, clock)
        self._launches = TokenBucket(LAUNCH_SECONDS * factor, 1.05, clock)
        self._bouncer = Bouncer(BAN, factor, clock)

    def middleware(self) -> Middleware:
        """Answers instead of the API above the limit."""

        @web.middleware
        async def limit(request: web.Request, handler: Handler) -> web.StreamResponse:
            if self._bouncer.shut_for():
                return banned()
            if not self._requests.take() or (request.path == LAUNCH_PATH and not self._launches.take()):
                self._bouncer.refused()
                return too_many_requests()
            return await handler(request)

        return limit

    def budget(self) -> dict[str, float]:
        """Requests and launches that may pass now, and the seconds of a ban."""
        left = {
            "requests": self._requests.left(),
            "launches": self._launches.left(),
            "banned_seconds": self._bouncer.shut_for(),
        }
        return {name: round(value, 2) for name, value in left.items()}


LIMITER = web.AppKey("limiter", RateLimiter)
"""Of the application that has limits."""


def rate_limiter(limit: RateLimit, clock: Clock) -> RateLimiter | None:
    """What enforces a limit; None where there is none."""
    return None if limit == "off" else RateLimiter(1.0 if limit == "lambda" else limit, clock)


def too_many_requests() -> web.Response:
    """What the edge says to a client that asks too often."""
    return web.Response(status=429, text="error code: 1015")


def banned() -> web.Response:
    """What the edge says to a client that did not listen to that."""
    return html_page(429, "error code: 1015: you have been banned temporarily")


def html_page(status: int, title: str) -> web.Response:
    """A page of the edge, for people."""
    page = f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n"
    return web.Response(status=status, text=page, content_type="text/html")
