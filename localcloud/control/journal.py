"""What was asked of the local cloud, for tests and for whoever wonders what the program did."""

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from localcloud.clock import SYSTEM_CLOCK, Clock
from localcloud.paths import API_PREFIX, CONTROL_PREFIX, PAGE_PATHS

KEPT = 10_000
"""Requests remembered; older ones are forgotten."""


@dataclass(frozen=True)
class Entry:
    """One request. `time` is in seconds since the epoch; `status` is None when no whole reply went out."""

    time: float
    method: str
    path: str
    operation: str
    status: int | None
    milliseconds: float
    service: Literal["lambda", "hub"]


@dataclass(frozen=True)
class Journal:
    """The last requests, oldest first. It is not kept over a restart."""

    clock: Clock = SYSTEM_CLOCK
    entries: deque[Entry] = field(default_factory=lambda: deque(maxlen=KEPT))

    def middleware(self) -> Middleware:
        """Notes every request but those to the control side and the page."""

        @web.middleware
        async def note(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.path.startswith(CONTROL_PREFIX + "/") or request.path in PAGE_PATHS:
                return await handler(request)
            began, clock = self.clock.now(), time.perf_counter()
            status: int | None = 500
            try:
                response = await handler(request)
                status = response.status
                return response
            except web.HTTPException as error:
                status = error.status
                raise
            finally:
                if request.transport is None or request.transport.is_closing():
                    status = None
                took = round((time.perf_counter() - clock) * 1000, 3)
                service: Literal["lambda", "hub"] = "lambda" if request.path.startswith(API_PREFIX + "/") else "hub"
                self.entries.append(
                    Entry(began, request.method, request.path, operation_of(request), status, took, service)
                )

        return note


def operation_of(request: web.Request) -> str:
    """The stable name of an endpoint: that of the function that serves it, with dashes (`list-instances`)."""
    if request.match_info.http_exception is not None:
        return "unknown"
    return operation_name(request.match_info.handler)


def operation_name(handler: object) -> str:
    """The name under which faults and the journal know a handler."""
    return getattr(handler, "__name__", "unknown").replace("_", "-")
