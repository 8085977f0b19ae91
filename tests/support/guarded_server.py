"""An application behind the guard, as an ASGI client meets it."""

import asyncio
from collections.abc import MutableMapping, Sequence
from typing import Any

from components.on_machine.service.guard import Guard, Receive, Scope, Send

KEY = "sk-the-right-key"

Header = tuple[bytes, bytes]

GONE = {"type": "http.disconnect"}


class Server:
    """A guarded application that remembers what reached it."""

    def __init__(self) -> None:
        self.reached = 0
        self.body = b""
        self.end: MutableMapping[str, Any] = {}
        self.guard = Guard(self._application)

    async def _application(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.reached += 1
        more = scope["method"] == "POST"
        while more:
            message = await receive()
            self.body += message.get("body", b"")
            more = message.get("more_body", False)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        self.end = await receive()
        await send({"type": "http.response.body", "body": b"two"})

    def ask(
        self,
        path: str,
        *headers: Header,
        method: str = "GET",
        kind: str = "http",
        messages: Sequence[MutableMapping[str, Any]] = (),
    ) -> list[MutableMapping[str, Any]]:
        """What is sent for a request whose body comes in messages. After them nothing comes any more."""
        sent: list[MutableMapping[str, Any]] = []
        coming = list(messages or [GONE])

        async def receive() -> MutableMapping[str, Any]:
            if coming[1:] or coming == [GONE]:
                return coming.pop(0) if coming[1:] else GONE
            if coming:
                return coming.pop()
            return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        scope = {"type": kind, "path": path, "raw_path": path.encode(), "headers": list(headers), "method": method}
        asyncio.run(self.guard(scope, receive, send))
        return sent

    def status(self, path: str, *headers: Header, **request: Any) -> int:
        """Status of the answer, or the code with which a websocket is closed."""
        sent = self.ask(path, *headers, **request)
        return int(sent[0].get("status") or sent[0]["code"])


def bearer(key: str = KEY) -> Header:
    return b"authorization", b"Bearer " + key.encode()


def length(number: int) -> Header:
    return b"content-length", str(number).encode()


CHUNKED = (b"transfer-encoding", b"chunked")


def part(body: bytes, *, more: bool) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}
