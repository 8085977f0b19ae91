"""The calls that are kept waiting; none of them holds up another call or the end of the cloud."""

import asyncio
from collections.abc import Coroutine

from aiohttp import web


class Delays:
    """Waits that end early when the cloud does."""

    def __init__(self) -> None:
        self._closing = asyncio.Event()
        self._outliving: set[asyncio.Task[web.StreamResponse]] = set()

    async def wait(self, seconds: float) -> bool:
        """Wait; whether the cloud is still up after it."""
        try:
            await asyncio.wait_for(self._closing.wait(), seconds)
        except TimeoutError:
            return True
        return False

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
