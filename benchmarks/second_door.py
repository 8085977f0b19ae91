"""A middleware for measuring: it opens a second, bare port into the server that it stands in, behind the guard.

So one vLLM answers both ways. Two of them with the same flags differ by a fifth, and by more than what is measured.
"""

import asyncio
import os
from importlib import import_module
from typing import Any

PORT_VARIABLE = "SECOND_DOOR_PORT"


class SecondDoor:
    """The innermost middleware: what comes to the second port skips all that stands before it, and TLS."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._server: asyncio.Task[None] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI entry: opens the door when the server begins."""
        if scope["type"] == "lifespan":
            self._open(scope["app"])
        await self._app(scope, receive, send)

    def _open(self, app: Any) -> None:
        # vLLM's own, which is not among the packages here.
        uvicorn: Any = import_module("uvicorn")

        async def bare(scope: Any, receive: Any, send: Any) -> None:
            # As the application does before its middlewares.
            scope["app"] = app
            await self._app(scope, receive, send)

        first = app.state.server.config
        config = uvicorn.Config(
            bare,
            host=first.host,
            port=int(os.environ[PORT_VARIABLE]),
            lifespan="off",
            access_log=first.access_log,
            log_config=None,
            timeout_keep_alive=first.timeout_keep_alive,
        )
        server = uvicorn.Server(config)
        # Signals are the first server's.
        self._server = asyncio.get_running_loop().create_task(server._serve())
