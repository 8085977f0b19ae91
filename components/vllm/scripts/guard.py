"""The door of the server: nothing but `/health` answers without the key.

vLLM's own --api-key guards some paths only (vLLM 0.32: those under /v1, /v2, /inference and /cohere) and leaves
others that run inference open. This ASGI middleware guards all.
"""

import hmac
import json
import os
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

KEYS_VARIABLE = "LAMBDA_VLLM_API_KEYS"
OPEN_PATHS = frozenset({"/health"})
SCHEME = b"bearer "

REFUSAL = json.dumps(
    {
        "error": {
            "message": "Incorrect API key provided. Send it as `Authorization: Bearer KEY`.",
            "type": "invalid_request_error",
            "param": None,
            "code": "invalid_api_key",
        }
    }
).encode()


class Guard:
    """Lets a request through when it carries one of the keys in the key file, which is read anew when it changes."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._file = Path(os.environ[KEYS_VARIABLE])
        self._read_at: tuple[int, int] | None = None
        self._keys: tuple[bytes, ...] = ()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry: websockets are refused by their handshake, the lifespan of the server passes."""
        if scope["type"] == "lifespan" or scope.get("path") in OPEN_PATHS or self._has_key(scope):
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            headers = [(b"content-type", b"application/json"), (b"www-authenticate", b"Bearer")]
            await send({"type": "http.response.start", "status": 401, "headers": headers})
            await send({"type": "http.response.body", "body": REFUSAL})
        else:
            await send({"type": "websocket.close", "code": 1008})

    def _has_key(self, scope: Scope) -> bool:
        given = [value for name, value in scope.get("headers", ()) if name.lower() == b"authorization"]
        # Two headers leave open which one counts, so neither does.
        if len(given) != 1 or not given[0].lower().startswith(SCHEME):
            return False
        offered = given[0][len(SCHEME) :].strip()
        # Every key is compared, and in constant time, so that the time taken tells nothing.
        return sum(hmac.compare_digest(offered, key) for key in self._current_keys()) > 0

    def _current_keys(self) -> tuple[bytes, ...]:
        status = self._file.stat()
        stamp = (status.st_mtime_ns, status.st_size)
        if stamp != self._read_at:
            self._keys = tuple(line.strip() for line in self._file.read_bytes().splitlines() if line.strip())
            self._read_at = stamp
        return self._keys
