"""Limits of connections, on a protocol with the parts of uvicorn's that they use; tests/e2e has uvicorn itself."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from components.on_machine.service import guard_connections
from components.on_machine.service.guard_connections import HEAD_S, MOST_PARSED_BYTES, UNREAD_S, bound_connections

HEAD = b"GET / HTTP/1.1\r\n\r\n"
HEAD_OF_BODY = b"POST / HTTP/1.1\r\n\r\n"


class Transport:
    """Remembers how it was ended."""

    ended = ""

    def close(self) -> None:
        self.ended = self.ended or "closed"

    def abort(self) -> None:
        self.ended = self.ended or "aborted"


@dataclass
class Timer:
    """What an event loop gives for something that is to be done later."""

    due: float
    act: Callable[[], None]
    is_cancelled: bool = False

    def cancel(self) -> None:
        self.is_cancelled = True


@dataclass
class Loop:
    """The part of an event loop that has to do with time, which passes when it is told to."""

    timers: list[Timer] = field(default_factory=list)

    def call_later(self, seconds: float, act: Callable[[], None]) -> Timer:
        self.timers.append(Timer(seconds, act))
        return self.timers[-1]

    def pass_by(self, seconds: float) -> None:
        for timer in self.timers:
            if timer.due <= seconds and not timer.is_cancelled:
                timer.act()


class Connection(asyncio.Protocol):
    """A head ends with an empty line, the body of a POST with `sent`; the request runs until `answered`."""

    def __init__(self, connections: set[Any]) -> None:
        self.loop = Loop()
        self.connections = connections
        self.pipeline: list[None] = []
        self.cycle: Any = None
        self.transport: Any = None
        self._seen = b""

    def connection_made(self, transport: Any) -> None:
        self.connections.add(self)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._seen += data
        while HEAD[-4:] in self._seen:
            head, _, self._seen = self._seen.partition(HEAD[-4:])
            self.on_headers_complete()
            self.cycle.more_body = head.startswith(b"POST")

    def on_message_begin(self) -> None: ...

    def on_header(self, name: bytes, value: bytes) -> None: ...

    def on_headers_complete(self) -> None:
        if self.cycle and not self.cycle.response_complete:
            self.pipeline.append(None)
        else:
            self.cycle = SimpleNamespace(response_complete=False, more_body=True)

    def sent(self) -> None:
        self.cycle.more_body = False

    def answered(self) -> None:
        self.cycle.response_complete = True


def served(scenario: Callable[[Any, Transport], Any], others: int = 0, seconds: float = 0.0) -> str:
    """How the connection ended after a scenario, and so many seconds."""
    config = SimpleNamespace(http_protocol_class=Connection, ws_protocol_class=object)
    bound_connections({"app": SimpleNamespace(state=SimpleNamespace(server=SimpleNamespace(config=config)))})
    assert config.ws_protocol_class is None
    transport = Transport()
    connection: Any = config.http_protocol_class(set(range(others)))
    connection.connection_made(transport)
    scenario(connection, transport)
    connection.loop.pass_by(seconds)
    ended = transport.ended
    connection.connection_lost(None)
    assert all(timer.is_cancelled or timer.due <= seconds for timer in connection.loop.timers)
    return ended


def send_too_much(connection: Any) -> None:
    """More than a head may have, in parts."""
    for _part in range(MOST_PARSED_BYTES // 1000 + 1):
        connection.data_received(b"a" * 1000)


@pytest.mark.parametrize("sent", [b"", b"\r\n", b"GET / HTTP/1.1\r\nX: "])
def test_a_head_that_does_not_end_is_not_waited_for(sent: bytes) -> None:
    assert served(lambda connection, _: connection.data_received(sent), seconds=HEAD_S - 1) == ""
    assert served(lambda connection, _: connection.data_received(sent), seconds=HEAD_S) == "closed"


def test_a_request_that_runs_has_its_time() -> None:
    assert served(lambda connection, _: connection.data_received(HEAD), seconds=2 * UNREAD_S) == ""


def test_a_second_head_that_does_not_end_is_not_waited_for_either() -> None:
    def scenario(connection: Any, _: Transport) -> None:
        connection.data_received(HEAD)
        connection.answered()
        connection.data_received(b"GET /")

    assert served(scenario, seconds=HEAD_S) == "closed"


def test_a_head_that_grows_and_grows_ends_the_connection() -> None:
    assert served(lambda connection, _: send_too_much(connection)) == "closed"


def test_a_large_body_does_not_count_as_the_head_of_the_next_request() -> None:
    def scenario(connection: Any, _: Transport) -> None:
        connection.data_received(HEAD_OF_BODY)
        send_too_much(connection)
        connection.sent()
        connection.answered()
        connection.data_received(b"GET /")

    assert served(scenario) == ""


def test_a_head_that_grows_while_the_request_before_it_runs_ends_the_connection_too() -> None:
    def scenario(connection: Any, _: Transport) -> None:
        connection.data_received(HEAD_OF_BODY)
        connection.sent()
        send_too_much(connection)

    assert served(scenario) == "closed"


def test_a_body_that_nobody_waits_for_any_more_ends_the_connection() -> None:
    def scenario(connection: Any, _: Transport) -> None:
        connection.data_received(HEAD_OF_BODY)
        connection.answered()
        send_too_much(connection)

    assert served(scenario) == "closed"


def test_trailers_of_a_body_have_a_limit_and_those_of_the_next_one_their_own() -> None:
    def with_trailers(count: int) -> Callable[[Any, Transport], None]:
        def scenario(connection: Any, _: Transport) -> None:
            for _request in range(2):
                connection.on_message_begin()
                connection.data_received(HEAD_OF_BODY)
                for _trailer in range(count):
                    connection.on_header(b"x" * 500, b"y" * 500)

        return scenario

    most = MOST_PARSED_BYTES // 1000
    assert served(with_trailers(most)) == ""
    with pytest.raises(ValueError, match="trailers"):
        served(with_trailers(most + 1))


def test_requests_sent_at_once_without_reading_the_answers_have_a_limit() -> None:
    with pytest.raises(ValueError, match="at once"):
        served(lambda connection, _: connection.data_received(HEAD * 100))


def test_a_client_that_does_not_read_its_answer_is_dropped_unless_it_reads_again() -> None:
    def scenario(connection: Any, _: Transport) -> None:
        connection.data_received(HEAD)
        connection.pause_writing()

    def reads_again(connection: Any, transport: Transport) -> None:
        scenario(connection, transport)
        connection.resume_writing()

    assert served(scenario, seconds=UNREAD_S - 1) == ""
    assert served(scenario, seconds=UNREAD_S) == "aborted"
    assert served(reads_again, seconds=UNREAD_S) == ""


def test_beyond_the_most_connections_there_is_none() -> None:
    assert served(lambda *_: None, others=guard_connections.MOST_CONNECTIONS) == "aborted"
    assert served(lambda *_: None, others=guard_connections.MOST_CONNECTIONS - 1) == ""


@pytest.mark.parametrize("scope", [{}, {"app": SimpleNamespace()}])
def test_another_http_server_is_left_as_it_is_and_named(scope: Any, capsys: pytest.CaptureFixture[str]) -> None:
    bound_connections(scope)
    assert "connections are not bounded" in capsys.readouterr().err
