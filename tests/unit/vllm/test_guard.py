"""The door of the server, as an ASGI client meets it."""

import asyncio
import os
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import pytest

from components.vllm.scripts.guard import KEYS_VARIABLE, Guard, Receive, Scope, Send

KEY = "sk-the-right-key"


class Server:
    """A guarded application that remembers whether anything reached it."""

    def __init__(self) -> None:
        self.reached = 0
        self.guard = Guard(self._application)

    async def _application(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.reached += 1
        await send({"type": "http.response.start", "status": 200, "headers": []})

    def status(self, path: str, *headers: tuple[bytes, bytes], kind: str = "http") -> int:
        """Status of the answer, or the code with which a websocket is closed."""
        sent: list[MutableMapping[str, Any]] = []

        async def receive() -> MutableMapping[str, Any]:
            return {"type": "http.request"}

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        scope = {"type": kind, "path": path, "headers": list(headers)}
        asyncio.run(self.guard(scope, receive, send))
        return int(sent[0].get("status") or sent[0]["code"])


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "api-keys"
    file.write_text(KEY + "\n")
    monkeypatch.setenv(KEYS_VARIABLE, str(file))
    return file


@pytest.fixture
def server(keys: Path) -> Server:
    return Server()


def bearer(key: str) -> tuple[bytes, bytes]:
    return b"authorization", b"Bearer " + key.encode()


def test_the_key_opens_and_health_needs_none(server: Server) -> None:
    assert server.status("/v1/models", bearer(KEY)) == 200
    assert server.status("/health") == 200


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1/models",
        "/invocations",
        "/metrics",
        "/tokenize",
        "/docs",
        "/health/",
        "//health",
        "/health/../v1/models",
    ],
)
def test_without_the_key_no_other_path_reaches_the_server(server: Server, path: str) -> None:
    assert server.status(path) == 401
    assert server.reached == 0


@pytest.mark.parametrize(
    "headers",
    [
        [bearer("")],
        [bearer("sk-the-wrong-key")],
        [bearer(KEY + "x")],
        [bearer(KEY[:-1])],
        [(b"authorization", KEY.encode())],
        [(b"authorization", b"Basic " + KEY.encode())],
        [(b"x-api-key", KEY.encode())],
        [bearer("wrong"), bearer(KEY)],
        [bearer(KEY), bearer("wrong")],
        [(b"authorization", b"Bearer \xff\xfe")],
    ],
)
def test_what_is_not_exactly_the_key_stays_outside(server: Server, headers: list[tuple[bytes, bytes]]) -> None:
    assert server.status("/v1/models", *headers) == 401
    assert server.reached == 0


def test_a_websocket_without_the_key_is_refused(server: Server) -> None:
    assert server.status("/v1/realtime", kind="websocket") == 1008
    assert server.reached == 0


def test_a_new_key_counts_at_once_and_the_old_one_no_more(server: Server, keys: Path) -> None:
    assert server.status("/v1/models", bearer(KEY)) == 200
    keys.write_text("sk-a-new-key\nsk-a-second-one\n")
    os.utime(keys, ns=(1, 1))
    assert server.status("/v1/models", bearer("sk-a-new-key")) == 200
    assert server.status("/v1/models", bearer("sk-a-second-one")) == 200
    assert server.status("/v1/models", bearer(KEY)) == 401


def test_an_empty_key_file_lets_nobody_in(server: Server, keys: Path) -> None:
    keys.write_text("\n")
    assert server.status("/v1/models", bearer("")) == 401
