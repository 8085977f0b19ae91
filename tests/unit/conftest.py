"""What holds for all tests without a process, and an HTTP server that gives the answers a test has prepared, so that
the client meets the real wire."""

import gc
import importlib
import itertools
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from components.lambda_cloud.api.client import LambdaClient
from components.lambda_cloud.api.limits import Limits, RateLimiter
from tests.support.jumping_clock import JumpingClock, no_sleep

KEY = "secret_test_key"
END_OF_CERTIFICATE = "-----END CERTIFICATE-----\n"

# When these are loaded they look for C libraries, by a process; the program loads them when it needs them.
LOOK_FOR_LIBRARIES = ("asyncssh", "httpcore2")

_test = itertools.count()


def pytest_collection_finish() -> None:
    """What was imported stays: whoever collects garbage need not look through it again and again."""
    gc.freeze()


@pytest.fixture(autouse=True, scope="package")
def nobody_sleeps_and_no_process_is_started() -> Iterator[None]:
    """Time is handed in, and what needs a process is tested in tests/engine."""

    def refused(_process: object, words: object, *_how: object, **_named: object) -> None:
        raise AssertionError(f"a process is started, which belongs in tests/engine: {words}")

    for name in LOOK_FOR_LIBRARIES:
        importlib.import_module(name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "sleep", no_sleep)
        patch.setattr(subprocess.Popen, "__init__", refused)
        yield


@pytest.fixture(autouse=True, scope="package")
def little_is_read_for_each_connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One authority, of the hundred that the hub's client reads for each question, and no look for proxies where this
    process is asked: these took more time than the answers."""
    file = tmp_path_factory.mktemp("trusted") / "authorities.pem"
    first, end, _ = Path(DEFAULT_CA_BUNDLE_PATH).read_text().partition(END_OF_CERTIFICATE)
    file.write_text(first + end)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", str(file))
        patch.setenv("no_proxy", "127.0.0.1,localhost")
        yield


@pytest.fixture(autouse=True)
def notes_of_this_test_alone(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the program notes of an account on this computer stays with the test. Few do, so the program makes the
    folder."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / "account-notes" / str(next(_test))))


@dataclass
class Received:
    """A request as the server saw it."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Script:
    """Prepared answers, used in order, the last one again and again; None closes the connection without a word."""

    answers: list[tuple[int, str] | None] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    url: str = ""
    date: str | None = None
    """What the server says the time is; None for the right one."""

    def data(self, data: Any, status: int = 200) -> None:
        """Prepare a success."""
        self.answers.append((status, json.dumps({"data": data})))

    def error(self, status: int, code: str, message: str = "no", suggestion: str | None = None) -> None:
        """Prepare an error in the API's envelope."""
        body = {"error": {"code": code, "message": message, "suggestion": suggestion}}
        self.answers.append((status, json.dumps(body)))

    def raw(self, status: int, text: str) -> None:
        """Prepare an answer that the API did not write."""
        self.answers.append((status, text))

    def silence(self) -> None:
        """Prepare a connection that ends without an answer."""
        self.answers.append(None)


@pytest.fixture
def script() -> Iterator[Script]:
    """A running server and its script."""
    prepared = Script()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            prepared.received.append(Received(self.command, self.path, dict(self.headers), body))
            answer = prepared.answers.pop(0) if len(prepared.answers) > 1 else prepared.answers[0]
            if answer is None:
                self.close_connection = True
                return
            status, text = answer
            self.send_response(status)
            if status == 307:
                self.send_header("Location", text)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def date_time_string(self, timestamp: float | None = None) -> str:
            return prepared.date or super().date_time_string(timestamp)

        do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815 - names of the standard library

        def log_message(self, format: str, *args: Any) -> None:
            """Keep the test output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    prepared.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield prepared
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def clock() -> JumpingClock:
    """The clock of the client under test."""
    return JumpingClock(is_ticking=True)


@pytest.fixture
def client(script: Script, clock: JumpingClock) -> LambdaClient:
    """A client of the scripted server, with Lambda's limits, whose waits take no time."""
    return LambdaClient(KEY, script.url, RateLimiter(Limits(), clock))
