"""The calls that are kept waiting; none of them holds up another call or the end of the cloud."""

import asyncio
from collections.abc import Coroutine

from aiohttp import web

from localcloud.clock import SYSTEM_CLOCK, Clock


class Delays:
    """Waits that end early when the cloud does."""

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self.clock = clock
        self._closing = asyncio.Event()
        self._outliving: set[asyncio.Task[web.StreamResponse]] = set()

    async def wait(self, seconds: float) -> bool:
        """Wait; whether the cloud is still up after it."""
        waits = [asyncio.ensure_future(one) for one in (self.clock.wait(seconds), self._closing.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()
        return not self._closing.is_set()

    async def outlive_client(self, work: Coroutine[None, None, web.StreamResponse]) -> web.StreamResponse:
        """Do it to the end, also when the call is cancelled because its client has gone away."""
        task = asyncio.ensure_future(work)
        self._outliving.add(task)
        task.add_done_callback(self._outliving.discard)
        return await asyncio.shield(task)

    async def close(self) -> None:
        """End every wait, and what goes on without a client."""
        self._closing.set()
        await asyncio.gather(*self._outliving, return_exceptions=True)
