"""Keeps requests that succeeded out of the server's log: `--middleware access_log.FailuresOnly`.

uvicorn writes a line for each request, which under load is most of the log. Who says himself what is logged, with one
of the flags or the variable below, gets that. Runs inside vLLM, with its Python.
"""

import json
import logging
import os
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from components.vllm.release.service.names import ACCESS, LOGGING_FLAGS, LOGGING_VARIABLE, REST

App = Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]

FLAGS_VARIABLE = "LAMBDA_VLLM_FLAGS"
"""Names the file with the flags that the server was started with."""

MOST_REFUSALS = 60
"""Lines of refused requests (4xx) within `WINDOW_S`: anybody can send any number of them."""
WINDOW_S = 60.0

besides = logging.getLogger(REST)


class FailuresOnly:
    """Changes the log when the server starts, and no request or answer."""

    def __init__(self, app: App) -> None:
        self._app = app
        logger = logging.getLogger(ACCESS)
        if not (says_what_is_logged() or any(isinstance(one, Failures) for one in logger.filters)):
            logger.addFilter(Failures())

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """ASGI entry."""
        await self._app(scope, receive, send)


class Failures(logging.Filter):
    """Lets through what failed: all that the server could not do, and of what it refused so many lines a minute."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._since = clock()
        self._refusals = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """uvicorn's arguments are address, method, path, version of HTTP and status."""
        status = record.args[4] if isinstance(record.args, tuple) and len(record.args) == 5 else None
        if not isinstance(status, int):
            return True
        if status < 400:
            return False
        return status >= 500 or self._has_room()

    def _has_room(self) -> bool:
        if self._clock() - self._since >= WINDOW_S:
            if (more := self._refusals - MOST_REFUSALS) > 0:
                besides.warning("%d more requests were refused (4xx) in the minute before", more)
            self._since, self._refusals = self._clock(), 0
        self._refusals += 1
        return self._refusals <= MOST_REFUSALS


def says_what_is_logged() -> bool:
    """True when the user's own settings have a word about it."""
    flags: Any = None
    with suppress(KeyError, OSError, ValueError):
        flags = json.loads(Path(os.environ[FLAGS_VARIABLE]).read_text())
    named = {str(flag).replace("_", "-").partition(".")[0] for flag in flags} if isinstance(flags, dict) else set()
    return LOGGING_VARIABLE in os.environ or not named.isdisjoint(LOGGING_FLAGS)
