"""Bodies and headers at the door of the server: what passes, what is refused, and unread."""

import asyncio
import weakref
from collections.abc import MutableMapping
from typing import Any

import pytest

from components.on_machine.service import guard
from components.on_machine.service.guard import MOST_BODY_BYTES
from tests.support.guarded_server import CHUNKED, GONE, Server, bearer, length, part


def test_the_server_gets_the_whole_body_and_hears_of_a_client_that_leaves(server: Server) -> None:
    messages = [part(b"a" * 10, more=True), part(b"b" * 5, more=False), GONE]
    assert server.status("/v1/completions", bearer(), length(15), method="POST", messages=messages) == 200
    assert server.body == b"a" * 10 + b"b" * 5
    assert server.end == GONE


def test_a_body_that_was_read_is_let_go_of_while_the_answer_goes_on() -> None:
    class Part(bytearray):
        """Of which one can see whether it is still there."""

    part = Part(b"body")
    seen = weakref.ref(part)
    body: list[MutableMapping[str, Any]] = [{"type": "http.request", "body": part}]
    del part

    async def read() -> None:
        receive = guard.replay(body, asyncio.Event().wait)  # type: ignore[arg-type]
        await receive()
        assert seen() is None

    asyncio.run(read())


def test_a_stream_passes_as_it_comes(server: Server) -> None:
    sent = server.ask("/v1/models", bearer())
    assert [message.get("body") for message in sent] == [None, b"one", b"two"]


def test_a_client_that_leaves_in_its_body_reaches_nothing(server: Server) -> None:
    sent = server.ask("/v1/completions", bearer(), length(9), method="POST", messages=[part(b"a", more=True), GONE])
    assert sent == []
    assert server.reached == 0


def test_a_body_that_is_announced_too_large_is_refused_unread(server: Server) -> None:
    too_large = length(MOST_BODY_BYTES + 1)
    assert server.status("/v1/completions", bearer(), too_large, method="POST", messages=[GONE]) == 413
    assert server.reached == 0


def test_a_body_without_a_length_is_refused_when_it_grows_too_large(server: Server) -> None:
    messages = [part(bytes(MOST_BODY_BYTES // 2), more=True)] * 2 + [part(b"x", more=True)]
    assert server.status("/v1/completions", bearer(), CHUNKED, method="POST", messages=messages) == 413
    assert server.reached == 0


def test_a_body_that_does_not_come_is_answered(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "BODY_PAUSE_S", 0.01)
    monkeypatch.setattr(guard, "LINGER_S", 0.01)
    messages = [part(b"a", more=True)]
    assert server.status("/v1/completions", bearer(), length(9), method="POST", messages=messages) == 408
    assert server.reached == 0


def test_a_body_that_comes_in_drops_for_ever_is_answered(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "BODY_WHOLE_S", -1.0)
    drops = [part(b"", more=True)] * 3
    assert server.status("/v1/completions", bearer(), CHUNKED, method="POST", messages=drops) == 408


def test_health_takes_no_body_since_it_needs_no_key(server: Server) -> None:
    assert server.status("/health", length(1), messages=[part(b"x", more=False)]) == 413
    assert server.status("/health", CHUNKED) == 413
    assert server.status("/health", length(0)) == 200


@pytest.mark.parametrize("value", [b"-1", b"+1", b"1e3", b"", b" ", b"\xb2", b"9" * 19, b"0x10"])
def test_a_length_that_is_no_number_is_refused(server: Server, value: bytes) -> None:
    assert server.status("/v1/completions", bearer(), (b"content-length", value), method="POST") == 400


def test_headers_have_a_limit_in_number_and_size_also_with_the_key(server: Server) -> None:
    assert server.status("/v1/models", bearer(), *[(b"x", b"y")] * 100) == 431
    assert server.status("/v1/models", bearer(), (b"x", bytes(40_000))) == 431
    assert server.status("/v1/models" + "x" * 40_000, bearer()) == 431
    assert server.reached == 0
