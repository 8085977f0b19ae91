"""Faults on demand: the next calls of an operation go wrong in a chosen way.

A kind of fault is a function in `KINDS`; it gets the request and the handler, and decides what the client sees.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from pydantic import BaseModel, ConfigDict, Field

from localcloud.api.errors import insufficient_capacity, internal_error
from localcloud.edge import too_many_requests
from localcloud.journal import operation_of

DELAY_S = 30.0
"""How long the answer to something that was carried out is kept back."""

FaultKind = Callable[[web.Request, Handler], Awaitable[web.StreamResponse]]


class Fault(BaseModel):
    """The next `times` calls of `operation` suffer a fault of a kind."""

    model_config = ConfigDict(extra="forbid")

    operation: str
    kind: str
    times: int = Field(default=1, ge=1)


@dataclass
class Faults:
    """The faults still to come, in the order in which they were asked for."""

    waiting: list[Fault] = field(default_factory=list)

    def take(self, operation: str) -> str | None:
        """The kind of fault that the next call of an operation suffers; it is used up by asking."""
        fault = next((one for one in self.waiting if one.operation == operation), None)
        if fault is None:
            return None
        fault.times -= 1
        if fault.times == 0:
            self.waiting.remove(fault)
        return fault.kind

    def middleware(self) -> Middleware:
        """Stands between the API's checks and the endpoint, so that a refused call uses up no fault."""

        @web.middleware
        async def fail(request: web.Request, handler: Handler) -> web.StreamResponse:
            kind = self.take(operation_of(request))
            return await (KINDS[kind](request, handler) if kind else handler(request))

        return fail


async def _insufficient_capacity(_request: web.Request, _handler: Handler) -> web.StreamResponse:
    raise insufficient_capacity()


async def _error_500(_request: web.Request, _handler: Handler) -> web.StreamResponse:
    raise internal_error()


async def _error_429(_request: web.Request, _handler: Handler) -> web.StreamResponse:
    return too_many_requests()


async def _drop_before(request: web.Request, _handler: Handler) -> web.StreamResponse:
    return _hang_up(request)


async def _drop_after(request: web.Request, handler: Handler) -> web.StreamResponse:
    await handler(request)
    return _hang_up(request)


async def _delay_after(request: web.Request, handler: Handler) -> web.StreamResponse:
    answer = await handler(request)
    deadline = time.monotonic() + DELAY_S
    # A client that has gone away waits no more, and its call is over.
    while request.transport is not None and not request.transport.is_closing() and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
    return answer


def _hang_up(request: web.Request) -> web.Response:
    """Close the connection; the response goes nowhere."""
    if request.transport is not None:
        request.transport.close()
    return web.Response()


KINDS: Mapping[str, FaultKind] = {
    "insufficient-capacity": _insufficient_capacity,
    "error-500": _error_500,
    "error-429": _error_429,
    "drop-before": _drop_before,
    "drop-after": _drop_after,
    "delay-after": _delay_after,
}
