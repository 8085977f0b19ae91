"""Requests that offer another protocol, over a socket to the HTTP server that vLLM runs with: uvicorn with httptools.

Both are pinned in requirements-dev.txt to the versions of the locks.
"""

import json
import re
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

import pytest
import uvicorn

from components.on_machine.service.guard import KEYS_VARIABLE, MOST_HEADERS, Guard, Receive, Scope, Send
from components.on_machine.service.guard_connections import MOST_PIPELINED

ROOT = Path(__file__).parents[3]
KEY = "sk-the-key-of-this-test"
PATH = "/v1/completions"
WAIT_S = 60.0
"""For what comes in milliseconds."""

JAVA = (
    "Connection: Upgrade, HTTP2-Settings",
    "Upgrade: h2c",
    "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA",
)
CURL = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA")
OFFERS = {
    "Java's HttpClient": JAVA,
    "curl --http2": CURL,
    "TLS": ("Connection: Upgrade", "Upgrade: TLS/1.2, HTTP/1.1"),
    "a websocket": ("connection: keep-alive", "connection: upgrade", "upgrade: websocket", "sec-websocket-version: 13"),
    "something unknown": ("Upgrade: x", "Connection: x,UPGRADE , y"),
}
BODY = b'{"model": "a/b", "prompt": "GET /v1/models HTTP/1.1\\r\\n\\r\\n"}'


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with what has arrived."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    names = [name.decode() for name, _ in scope["headers"]]
    said = json.dumps({"path": scope["path"], "body": body.decode(), "headers": names}).encode()
    length = str(len(said)).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
    await send({"type": "http.response.body", "body": said})


class Application:
    """As vLLM's: the server is found in its state, and the guard stands before all else."""

    def __init__(self) -> None:
        self.state = SimpleNamespace()
        self._guard = Guard(self._inner)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._guard({**scope, "app": self}, receive, send)

    async def _inner(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await echo(scope, receive, send)
            return
        for step in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{step}.complete"})


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Of a server in this process."""
    keys = tmp_path_factory.mktemp("keys") / "api-keys"
    keys.write_text(f"{KEY}\n")
    with pytest.MonkeyPatch.context() as patch, socket.create_server(("127.0.0.1", 0)) as listening:
        patch.setenv(KEYS_VARIABLE, str(keys))
        application = Application()
        # No settings for its log: they are the whole process's, and other tests look at what is logged.
        config = uvicorn.Config(application, http="httptools", loop="asyncio", lifespan="on", log_config=None)
        server = application.state.server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        yield int(listening.getsockname()[1])
        server.should_exit = True
        thread.join()


def head(*lines: str, method: str = "POST", path: str = PATH, key: str = KEY) -> bytes:
    """Of a request with the key."""
    said = (f"{method} {path} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {key}", *lines)
    return "\r\n".join((*said, "", "")).encode()


def with_length(*lines: str, body: bytes = BODY) -> bytes:
    return head(*lines, f"Content-Length: {len(body)}") + body


def in_chunks(*lines: str, body: bytes = BODY) -> bytes:
    parts = (body[:7], body[7:])
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
    return head(*lines, "Transfer-Encoding: chunked") + chunks + b"0\r\nX-Trailer: y\r\n\r\n"


@contextmanager
def connected(port: int) -> Iterator[tuple[socket.socket, IO[bytes]]]:
    """A connection, and its other end's answers."""
    with socket.create_connection(("127.0.0.1", port), WAIT_S) as connection, connection.makefile("rb") as answers:
        yield connection, answers


def read_answer(answers: IO[bytes]) -> tuple[int, bytes]:
    """The next status and body; status 0 at the end of the connection."""
    status = re.match(rb"HTTP/1\.1 (\d{3}) ", answers.readline())
    if not status:
        return 0, b""
    length = 0
    while line := answers.readline().strip():
        name, _, value = line.partition(b":")
        length = int(value) if name.lower() == b"content-length" else length
    return int(status[1]), answers.read(length)


def ask(port: int, *parts: bytes, answers: int = 1) -> list[tuple[int, bytes]]:
    """What comes for what is sent, part by part."""
    with connected(port) as (connection, coming):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for part in parts:
            connection.sendall(part)
        return [read_answer(coming) for _ in range(answers)]


def echoed(answer: tuple[int, bytes]) -> dict[str, Any]:
    status, said = answer
    assert status == 200, answer
    found: dict[str, Any] = json.loads(said)
    return found


@pytest.mark.parametrize("offer", OFFERS.values(), ids=OFFERS)
@pytest.mark.parametrize("whole", [with_length, in_chunks])
def test_who_offers_another_protocol_is_answered_in_this_one_with_the_body_intact(
    port: int, offer: Sequence[str], whole: Any
) -> None:
    said = echoed(ask(port, whole(*offer))[0])
    assert (said["path"], said["body"]) == (PATH, BODY.decode())
    assert not {"upgrade", "http2-settings"} & set(said["headers"])


def test_it_does_not_matter_in_which_pieces_such_a_request_arrives(port: int) -> None:
    sent = with_length(*JAVA)
    assert echoed(ask(port, *(bytes([byte]) for byte in sent))[0])["body"] == BODY.decode()


def test_a_body_that_comes_after_its_head_is_no_request_of_its_own(port: int) -> None:
    hidden = head(method="GET", path="/v1/models")
    sent = with_length(*JAVA, body=hidden)
    with connected(port) as (connection, coming):
        connection.sendall(sent[: -len(hidden)].replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
        # The server has read the head, and nothing else.
        assert read_answer(coming) == (100, b"")
        connection.sendall(hidden)
        assert echoed(read_answer(coming))["body"] == hidden.decode()
        connection.sendall(head("Connection: close", method="GET", path="/v1/models"))
        assert echoed(read_answer(coming))["path"] == "/v1/models"
        assert read_answer(coming) == (0, b"")


def test_a_connection_goes_on_after_an_offer_and_takes_requests_at_once(port: int) -> None:
    sent = [
        in_chunks(*JAVA, body=b"one body"),
        head(method="GET", path="/v1/models"),
        with_length(*CURL),
        with_length(),
    ]
    found = [echoed(answer) for answer in ask(port, b"".join(sent), answers=len(sent))]
    assert [(one["path"], one["body"]) for one in found] == [
        (PATH, "one body"),
        ("/v1/models", ""),
        (PATH, BODY.decode()),
        (PATH, BODY.decode()),
    ]


def test_a_connection_that_the_client_wants_closed_is_closed_after_the_answer(port: int) -> None:
    offer = ("Connection: Upgrade, HTTP2-Settings, close", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQ")
    answered, end = ask(port, with_length(*offer), answers=2)
    assert echoed(answered)["body"] == BODY.decode()
    assert end == (0, b"")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (head(*JAVA, "Content-Length: 2", key="sk-a-wrong-key-of-this-test") + b"{}", 401),
        (head(*JAVA, "Content-Length: 2", path="/docs") + b"{}", 404),
        (head(*JAVA, "Content-Length: 99999999999"), 413),
        (head(*JAVA, *(f"X-{number}: y" for number in range(MOST_HEADERS)), "Content-Length: 2") + b"{}", 431),
        (head(*JAVA, "Content-Length: 2", "Transfer-Encoding: chunked") + b"0\r\n\r\n", 400),
        (head(*JAVA, "Transfer-Encoding: chunked") + b"no chunk\r\n", 400),
    ],
)
def test_no_check_of_the_door_is_passed_by_an_offer(port: int, sent: bytes, status: int) -> None:
    assert ask(port, sent)[0][0] == status


def test_offers_sent_at_once_without_reading_the_answers_have_the_same_limit(port: int) -> None:
    found = ask(port, with_length(*JAVA) * (MOST_PIPELINED + 20), answers=MOST_PIPELINED + 20)
    assert 400 in [status for status, _ in found]
    assert found[-1] == (0, b"")


def test_a_client_that_presumes_http2_is_told_which_one_is_spoken_here(port: int) -> None:
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    for parts in ([preface], [preface[:16], preface[16:]], [preface + b"\0\0\0\4\0\0\0\0\0"]):
        (status, said), end = ask(port, *parts, answers=2)
        assert (status, end) == (400, (0, b""))
        assert b"HTTP/1.1" in said
    assert echoed(ask(port, with_length())[0])["body"] == BODY.decode()


def test_what_is_sent_through_a_connect_is_never_read_as_a_request(port: int) -> None:
    with connected(port) as (connection, coming):
        connection.sendall(head(method="CONNECT") + head(method="GET", path="/v1/models"))
        assert read_answer(coming)[0] == 405
        assert read_answer(coming) == (0, b"")


def test_the_server_of_these_tests_is_that_of_the_release() -> None:
    pins = re.findall(r"^((?:uvicorn|httptools)==\S+)", (ROOT / "requirements-dev.txt").read_text(), re.MULTILINE)
    assert len(pins) == 2
    for lock in (ROOT / "components/vllm/release/install/locks").glob("*-*.txt"):
        assert set(pins) <= set(re.findall(r"^(\S+==\S+)", lock.read_text(), re.MULTILINE)), lock.name
