"""The door of the server: nothing but `GET /health` answers without a key, and with one only what is on the list.

vLLM's own --api-key guards some paths only (vLLM 0.32: those under /v1, /v2, /inference and /cohere) and leaves
others that run inference open. This ASGI middleware guards all, and is the outermost one.

What happens before a request is whole, guard_connections.py bounds.
"""

import asyncio
import hashlib
import hmac
import json
import os
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from components.vllm.release.service.paths import GET_PATHS, HEALTH, POST_PATHS, RESPONSE_ID

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]

KEYS_VARIABLE = "LAMBDA_VLLM_API_KEYS"
SCHEME = b"bearer "

ALLOWED = dict.fromkeys(GET_PATHS, "GET") | dict.fromkeys(POST_PATHS, "POST")
"""Each path that answers with a key, and its method."""

MOST_BODY_BYTES = 64 << 20
"""Room for some images or an audio file in base64; a body is held in memory."""
BODY_PAUSE_S = 30.0
BODY_WHOLE_S = 300.0
"""Longest wait for the next part of a body, and for all of it."""
LINGER_S = 2.0
"""How long the body of a refused request is thrown away, so that the answer is not lost with the connection."""
MOST_HEADERS = 100
MOST_HEADER_BYTES = 32 << 10
"""Names, values and the target of the request."""


class Answer:
    """An answer of the guard, in the form of OpenAI's errors."""

    def __init__(self, status: int, code: str, message: str, *headers: tuple[bytes, bytes]) -> None:
        kind = "authentication_error" if status == 401 else "invalid_request_error"
        self.status, self.code = status, code
        error = {"message": message, "type": kind, "param": None, "code": code}
        self.body = json.dumps({"error": error}).encode()
        self.headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(self.body)).encode()),
            # A stranger gets one answer for each connection.
            (b"connection", b"close"),
            *headers,
        ]

    async def send(self, receive: Receive, send: Send, announced: int) -> None:
        """Answer, and throw away some of the body that is still under way."""
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        # Not of one in chunks: its trailers would be kept, however many come.
        if announced > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(LINGER_S):
                    await _drain(receive)
        await send({"type": "http.response.body", "body": b""})


async def _drain(receive: Receive) -> None:
    while (await receive()).get("more_body"):
        pass


class RefusedError(Exception):
    """A request that gets an answer of the guard."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.code)
        self.answer = answer


_BEARER = "Send it as `Authorization: Bearer KEY`."
_CHALLENGE = (b"www-authenticate", b"Bearer")
NO_KEY = Answer(401, "missing_api_key", f"You did not send an API key. {_BEARER}", _CHALLENGE)
WRONG_KEY = Answer(401, "invalid_api_key", f"Incorrect API key provided. {_BEARER}", _CHALLENGE)
TWO_KEYS = Answer(401, "invalid_api_key", "The Authorization header came more than once: send one.", _CHALLENGE)
NOT_HERE = Answer(404, "not_found", "There is no such path, or it is not open to clients.")
ONLY = {m: Answer(405, "method_not_allowed", f"Use {m} here.", (b"allow", m.encode())) for m in ("GET", "POST")}
BIG_HEAD = Answer(
    431, "headers_too_large", f"At most {MOST_HEADERS} headers, and {MOST_HEADER_BYTES >> 10} KiB of them with the URL."
)
BIG_BODY = Answer(413, "request_too_large", f"The body is larger than {MOST_BODY_BYTES >> 20} MiB.")
NO_BODY = Answer(413, "request_too_large", f"{HEALTH} takes no body.")
BAD_LENGTH = Answer(400, "invalid_content_length", "Content-Length is not a number.")
SLOW_BODY = Answer(
    408, "request_timeout", f"The body has to come within {BODY_WHOLE_S:.0f} s, and pause no {BODY_PAUSE_S:.0f} s."
)


class Guard:
    """Lets a request through when it carries one of the keys in the key file, and its path is on the list."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._keys = KeyFile(Path(os.environ[KEYS_VARIABLE]))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry: the lifespan of the server passes, websockets are refused by their handshake."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "lifespan":
            # On the machine the files lie side by side and are no package.
            bounds = import_module(".guard_connections", __package__)
            bounds.bound_connections(scope)
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        announced = 0
        try:
            headers: Headers = scope.get("headers", ())
            announced = announced_bytes(headers)
            self._admit(scope, headers, announced)
            body = await whole_body(receive) if announced else []
        except RefusedError as refused:
            await refused.answer.send(receive, send, announced)
            return
        if body is not None:
            await self._app(scope, replay(body, receive) if body else receive, send)

    def _admit(self, scope: Scope, headers: Headers, announced: int) -> None:
        target = len(scope.get("raw_path") or b"") + len(scope.get("query_string") or b"")
        if len(headers) > MOST_HEADERS or target + sum(len(n) + len(v) for n, v in headers) > MOST_HEADER_BYTES:
            raise RefusedError(BIG_HEAD)
        path, method = scope.get("path", ""), scope.get("method", "")
        if path == HEALTH and method == "GET":
            if announced:
                raise RefusedError(NO_BODY)
            return
        self._keys.check(headers)
        allowed = allowed_method(path)
        if not allowed:
            raise RefusedError(NOT_HERE)
        if method != allowed:
            raise RefusedError(ONLY[allowed])
        if announced > MOST_BODY_BYTES:
            raise RefusedError(BIG_BODY)


def allowed_method(path: str) -> str | None:
    """The method that answers at a path; None when the path is not on the list."""
    if "{" in path:
        return None
    return ALLOWED.get(path) or (
        ALLOWED.get(f"{found[1]}{{id}}{found[2] or ''}") if (found := RESPONSE_ID.fullmatch(path)) else None
    )


class KeyFile:
    """Keys, one a line, read anew when the file changes. A file that is missing or empty lets nobody in."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._read_at: tuple[int, int, int] | None = None
        self._digests: tuple[bytes, ...] = ()

    def check(self, headers: Headers) -> None:
        """Raise `RefusedError` unless there is one Authorization header, with one of the keys."""
        given = [value for name, value in headers if name.lower() == b"authorization"]
        if not given:
            raise RefusedError(NO_KEY)
        # Two headers leave open which one counts, so neither does.
        if len(given) > 1:
            raise RefusedError(TWO_KEYS)
        if given[0][: len(SCHEME)].lower() != SCHEME:
            raise RefusedError(WRONG_KEY)
        offered = hashlib.sha256(given[0][len(SCHEME) :].strip()).digest()
        # Every key is compared, in constant time and as digests of one length, so that the time taken tells nothing.
        if not sum(hmac.compare_digest(offered, digest) for digest in self._current()):
            raise RefusedError(WRONG_KEY)

    def _current(self) -> tuple[bytes, ...]:
        try:
            status = self._file.stat()
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            if stamp != self._read_at:
                keys = (line.strip() for line in self._file.read_bytes().splitlines())
                self._digests = tuple(hashlib.sha256(key).digest() for key in keys if key)
                self._read_at = stamp
        except OSError:
            self._digests, self._read_at = (), None
        return self._digests


def announced_bytes(headers: Headers) -> int:
    """Length of the body that is announced, -1 when it comes in chunks. `RefusedError` when it is no number."""
    length = 0
    for name, value in headers:
        if name == b"transfer-encoding":
            return -1
        if name == b"content-length":
            if not value.isdigit() or len(value) > 18:
                raise RefusedError(BAD_LENGTH)
            length = int(value)
    return length


async def whole_body(receive: Receive) -> list[Message] | None:
    """The messages of the body; None when the client has gone. `RefusedError` when it is too large or too slow.

    vLLM begins when it has all of it, so nothing is lost by waiting here.
    """
    messages: list[Message] = []
    size = 0
    clock = asyncio.get_running_loop().time
    deadline = clock() + BODY_WHOLE_S
    while True:
        try:
            async with asyncio.timeout_at(min(clock() + BODY_PAUSE_S, deadline)):
                message = await receive()
        except TimeoutError:
            raise RefusedError(SLOW_BODY) from None
        if message["type"] != "http.request":
            return None
        size += len(message.get("body", b""))
        if size > MOST_BODY_BYTES:
            raise RefusedError(BIG_BODY)
        messages.append(message)
        if not message.get("more_body"):
            return messages
        # A part that is there already does not let the timer in.
        if clock() > deadline:
            raise RefusedError(SLOW_BODY)


def replay(body: list[Message], receive: Receive) -> Receive:
    """A `receive` that gives the body, then what comes after it: vLLM listens there for a client that leaves."""
    # Let go of as it is read: an answer may be streamed for long, and vLLM has a copy of its own.
    waiting = deque(body)
    body.clear()

    async def next_message() -> Message:
        return waiting.popleft() if waiting else await receive()

    return next_message
