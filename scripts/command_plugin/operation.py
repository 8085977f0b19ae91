"""One call of the engine for one resource."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .engine import Engine
from .inputs import Connection

if TYPE_CHECKING:
    import asyncssh


@dataclass(frozen=True)
class Operation:
    """What a resource needs to do its work: whom to tell, and when to give up dialling."""

    urn: str
    engine: Engine
    cancelled: asyncio.Event
    timeout_seconds: float | None
    """The resource's `custom_timeouts`. They and a cancellation end the dialling only, never a running command."""

    @asynccontextmanager
    async def connected(self, connection: Connection) -> AsyncIterator["asyncssh.SSHClientConnection"]:
        """A connection to the host, closed on leaving."""
        # asyncssh takes longer to load than all the rest, and looks for libraries with the compiler: a run without
        # changes does without it.
        from .dial import dial, within

        client = await within(dial(connection, self.status), self.cancelled, self.timeout_seconds)
        async with client:
            yield client

    async def status(self, message: str) -> None:
        await self.engine.status(message, self.urn)

    async def warning(self, message: str) -> None:
        await self.engine.warning(message, self.urn)
