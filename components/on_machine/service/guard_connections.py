"""Limits for the connections of the server, which its HTTP parser does not have.

uvicorn with httptools takes a head of any length for any time: vLLM's --h11-* flags mean another parser, and no flag
of vLLM bounds the time. It also loses the body of a request that offers another protocol. The guard calls this when the
server starts.
"""

import asyncio
import sys
from collections.abc import MutableMapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any

MOST_PARSED_BYTES = 64 << 10
"""Of a head that has not ended."""
HEAD_S = 15.0
"""In which the head of a request has to come, counted from the connection or the request before it."""
UNREAD_S = 300.0
"""How long a client may leave its answer unread."""
MOST_CONNECTIONS = 4096
MOST_PIPELINED = 16

OFFERS = frozenset({b"upgrade", b"http2-settings"})
"""Headers, and tokens of `Connection`, by which a client offers to go on in another protocol (RFC 9110, 7.8)."""


def bound_connections(scope: MutableMapping[str, Any]) -> None:
    """Have the server make its connections with `Bounds`, and none for websockets. vLLM 0.32 keeps it in the app."""
    try:
        config = scope["app"].state.server.config
        protocol = config.http_protocol_class
        if not (hasattr(protocol, "on_headers_complete") and hasattr(protocol, "on_header")):
            raise AttributeError(protocol.__name__)
        parsing = import_module("httptools")
    except (KeyError, AttributeError, ImportError) as unknown:
        print(f"guard: connections are not bounded, this HTTP server is not known: {unknown}", file=sys.stderr)
        return
    config.http_protocol_class = type("Bounded", (Bounds, protocol), {"parsing": parsing})
    config.ws_protocol_class = None


class PlainParser:
    """httptools' parser of a connection that stays with HTTP/1.1, whatever its client offers.

    httptools ends the message of a request that offers another protocol after its head, and takes what follows for that
    protocol: uvicorn, which speaks no other one, then answers without the body, and reads a body that arrives later as
    a request of its own. A server may ignore an offer (RFC 9110, 7.8). So the head is parsed a second time without it,
    by a new parser, which goes on from there: its body has the same length or chunks, and the same limits.
    """

    def __init__(self, parsing: Any, connection: Any) -> None:
        self._parsing, self._connection = parsing, connection
        self._is_tunnel = False
        self._renew()

    def __getattr__(self, name: str) -> Any:
        """What uvicorn asks of it: method, version, whether the connection is kept."""
        return getattr(self._parser, name)

    def feed_data(self, data: bytes) -> None:
        """Parse; `HttpParserError` for what is no HTTP/1.1."""
        rest = memoryview(data)
        while rest and not self._is_tunnel:
            try:
                self._parser.feed_data(rest)
                return
            except self._parsing.HttpParserUpgrade as offer:
                rest = rest[offer.args[0] :]
                # The guard refuses it. What comes behind it would be a request to nobody.
                self._is_tunnel = self._parser.get_method() == b"CONNECT"
            if not self._is_tunnel:
                head = self._head()
                self._renew()
                self._parser.feed_data(head)

    def _renew(self) -> None:
        self._parser = self._parsing.HttpRequestParser(self._connection)
        # As uvicorn does with its own, so that the answer to a last request is not lost by what comes behind that.
        # httptools before 0.6.3 has no such switch, and is that lenient.
        with suppress(AttributeError):
            self._parser.set_dangerous_leniencies(lenient_data_after_close=True)

    def _head(self) -> bytes:
        """The head that was parsed, as it is without an offer."""
        version = self._parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (self._parser.get_method(), self._connection.url, version)]
        lines += [b"%b: %b" % header for header in without_offer(self._connection.headers)]
        return b"\r\n".join((*lines, b"", b""))


def without_offer(headers: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The same headers, their names in small letters, without those that offer another protocol."""
    kept = []
    for name, value in headers:
        if name == b"connection":
            tokens = (token.strip() for token in value.split(b","))
            value = b", ".join(token for token in tokens if token.lower() not in OFFERS)
        if name not in OFFERS and (value or name != b"connection"):
            kept.append((name, value))
    return kept


class Bounds:
    """What uvicorn's connection with httptools lacks: an end to heads that do not end, and to clients that do not read.

    Stands before that class in the order of its bases.
    """

    parsing: Any
    """The module httptools."""
    _head_timer: asyncio.TimerHandle | None = None
    _write_timer: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _trailer_bytes: int | None = None
    """Headers after the body, which the parser keeps too; None within a head."""

    def connection_made(self: Any, transport: asyncio.Transport) -> None:
        """Begin to wait for the first head; beyond the most connections there is none."""
        super().connection_made(transport)  # type: ignore[misc]
        self.parser = PlainParser(self.parsing, self)
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
        if self._is_offer():
            return
        self._stop("_head_timer")
        self._head_bytes = self._trailer_bytes = 0
        super().on_headers_complete()  # type: ignore[misc]
        if len(self.pipeline) > MOST_PIPELINED:
            raise ValueError("too many requests at once")

    def on_message_complete(self: Any) -> None:
        """The body is there; of an offer, the head, which is about to come again."""
        if not self._is_offer():
            super().on_message_complete()  # type: ignore[misc]

    def send_400_response(self: Any, msg: str) -> None:
        """The answer to what is no HTTP/1.1; HTTP/2 begins with a request of the method PRI (RFC 9113, 3.4)."""
        if self.parser.get_method() == b"PRI":
            msg = "This server speaks HTTP/1.1: ask it without prior knowledge of HTTP/2."
        super().send_400_response(msg)  # type: ignore[misc]

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

    def _is_offer(self: Any) -> bool:
        """Whether the head that was parsed offers another protocol, and will be parsed again without that."""
        return bool(self.parser.should_upgrade()) and self.parser.get_method() != b"CONNECT"

    def _await_head(self: Any) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_S, self.transport.close)

    def _stop(self, timer: str) -> None:
        handle: asyncio.TimerHandle | None = getattr(self, timer)
        if handle:
            handle.cancel()
        setattr(self, timer, None)
