"""A call that a fault strikes."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Handler

from localcloud.api.envelope import error_response
from localcloud.api.errors import ApiError
from localcloud.faults.delays import Delays


@dataclass(frozen=True)
class Call:
    """What a fault has in its hands. `seconds` is how long it takes, 0 for kinds that take no time."""

    request: web.Request
    handler: Handler
    seconds: float
    delays: Delays
    after_bytes: int | None = None

    async def answer(self) -> web.Response:
        """What the API says, its refusals included; it has acted when this returns."""
        try:
            answer = await self.handler(self.request)
        except ApiError as error:
            return error_response(error)
        assert isinstance(answer, web.Response)
        return answer

    def hang_up(self) -> web.Response:
        """Close the connection; the response goes nowhere."""
        if self.request.transport is not None:
            self.request.transport.close()
        return web.Response()

    def is_listened_to(self) -> bool:
        """Whether the client is still there."""
        return self.request.transport is not None and not self.request.transport.is_closing()


Strike = Callable[[Call], Awaitable[web.StreamResponse]]
"""What a kind of fault makes of a call: whether the cloud acts, and what the client sees."""
