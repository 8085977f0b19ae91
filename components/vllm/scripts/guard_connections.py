"""Limits for the connections of the server, which its HTTP parser does not have.

uvicorn with httptools takes a head of any length for any time: vLLM's --h11-* flags mean another parser, and no flag
of vLLM bounds the time. The guard calls this when the server starts.
"""

import asyncio
import sys
from collections.abc import MutableMapping
from typing import Any

MOST_PARSED_BYTES = 64 << 10
"""Of a head that has not ended."""
HEAD_S = 15.0
"""In which the head of a request has to come, counted from the connection or the request before it."""
UNREAD_S = 300.0
"""How long a client may leave its answer unread."""
MOST_CONNECTIONS = 4096
MOST_PIPELINED = 16


def bound_connections(scope: MutableMapping[str, Any]) -> None:
    """Have the server make its connections with `Bounds`, and none for websockets. vLLM 0.32 keeps it in the app."""
    try:
        config = scope["app"].state.server.config
        protocol = config.http_protocol_class
        if not (hasattr(protocol, "on_headers_complete") and hasattr(protocol, "on_header")):
            raise AttributeError(protocol.__name__)
    except (KeyError, AttributeError) as unknown:
        print(f"guard: connections are not bounded, this HTTP server is not known: {unknown}", file=sys.stderr)
        return
    config.http_protocol_class = type("Bounded", (Bounds, protocol), {})
    config.ws_protocol_class = None


class Bounds:
    """What uvicorn's connection with httptools lacks: an end to heads that do not end, and to clients that do not read.

    Stands before that class in the order of its bases.
    """

    _head_timer: asyncio.TimerHandle | None = None
    _write_timer: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _trailer_bytes: int | None = None
    """Headers after the body, which the parser keeps too; None within a head."""

    def connection_made(self: Any, transport: asyncio.Transport) -> None:
        """Begin to wait for the first head; beyond the most connections there is none."""
        super().connection_made(transport)  # type: ignore[misc]
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
        self._await_head()

    def data_received(self: Any, data: bytes) -> None:
        """Parse; a head that is longer than any good one ends the connection."""
        # A client may send its next request before it has the answer to this one, but not a head without an end.
        if not (self._is_open() and getattr(self.cycle, "more_body", True)):
            self._head_bytes += len(data)
        super().data_received(data)  # type: ignore[misc]
        if not self._is_open():
            self._await_head()
        if self._head_bytes > MOST_PARSED_BYTES:
            self.transport.close()

    def on_message_begin(self: Any) -> None:
        """The next request."""
        self._trailer_bytes = None
        super().on_message_begin()  # type: ignore[misc]

    def on_header(self: Any, name: bytes, value: bytes) -> None:
        """A header, or a trailer."""
        if self._trailer_bytes is not None:
            self._trailer_bytes += len(name) + len(value)
            if self._trailer_bytes > MOST_PARSED_BYTES:
                raise ValueError("too many trailers")
        super().on_header(name, value)  # type: ignore[misc]

    def on_headers_complete(self: Any) -> None:
        """The head is there. What is raised in a callback of the parser ends the connection with status 400."""
        self._stop("_head_timer")
        self._head_bytes = self._trailer_bytes = 0
        super().on_headers_complete()  # type: ignore[misc]
        if len(self.pipeline) > MOST_PIPELINED:
            raise ValueError("too many requests at once")

    def pause_writing(self: Any) -> None:
        """The client does not read what was sent to it."""
        super().pause_writing()  # type: ignore[misc]
        self._write_timer = self.loop.call_later(UNREAD_S, self.transport.abort)

    def resume_writing(self: Any) -> None:
        """It reads again."""
        self._stop("_write_timer")
        super().resume_writing()  # type: ignore[misc]

    def connection_lost(self: Any, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._stop("_head_timer")
        self._stop("_write_timer")
        super().connection_lost(exc)  # type: ignore[misc]

    def _is_open(self: Any) -> bool:
        """Whether a request waits for the end of its answer."""
        return self.cycle is not None and not self.cycle.response_complete

    def _await_head(self: Any) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_S, self.transport.close)

    def _stop(self, timer: str) -> None:
        handle: asyncio.TimerHandle | None = getattr(self, timer)
        if handle:
            handle.cancel()
        setattr(self, timer, None)
