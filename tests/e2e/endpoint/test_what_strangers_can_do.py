"""What strangers can do to the endpoint: its own routes, and 2,000 requests without the key.

The last file that uses the endpoint: nobody else's tests run on a server that was attacked.
"""

import http.client
import json
import re
import select
import socket
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from components.on_machine.service.guard import ALLOWED, allowed_method
from tests.e2e.conftest import Served
from tests.support.malformed import Malformed, connect, malformed_requests, statuses
from tests.support.pulumi_project import Project

pytestmark = pytest.mark.timeout(1200)

SEED = 20261124
AT_ONCE = 16
GROWTH_BYTES = 64 << 20
"""What a process may take more without it being a leak."""
SLOW_CLIENTS = 40
CUT_OFF_S = 120.0
"""Several times what the guard allows, for a loaded machine."""
BETWEEN_S = 0.02
"""Between two requests of a client that asks all the time."""
NEXT_KEY = "sk-the-next-key-0123456789"
OWN_CODES = {"missing_api_key", "invalid_api_key", "not_found", "method_not_allowed"}
"""Codes of errors that come from the guard."""


@dataclass(frozen=True)
class Target:
    """A stack that serves, as one sees it who attacks it, and as its machine sees it."""

    project: Project
    endpoint: str
    model: str
    api_key: str
    home: Path

    def ask(self, method: str, path: str, key: str | None = None, body: bytes | None = None) -> tuple[int, bytes]:
        """Status and body of one answer."""
        connection = http.client.HTTPConnection("localhost")
        connection.sock = connect(self.endpoint)
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def is_refused_by_the_guard(self, method: str, path: str, key: str | None = None) -> bool:
        """True when the answer is one of the guard's."""
        body = None if method in {"GET", "HEAD"} else b"{}"
        status, answer = self.ask(method, path, key, body)
        if method == "HEAD":
            return status in {401, 404, 405}
        try:
            return json.loads(answer)["error"]["code"] in OWN_CODES
        except (ValueError, KeyError, TypeError):
            return False

    def served(self) -> list[str]:
        """What the server counts of requests that reached it, and of tokens."""
        status, text = self.ask("GET", "/metrics", self.api_key)
        assert status == 200
        counters = r"^(?:http_requests_total|vllm:(?:request_success|prompt_tokens|generation_tokens)_total)\{.*$"
        lines = re.findall(counters, text.decode(), re.MULTILINE)
        return [line for line in lines if 'handler="/metrics"' not in line and 'handler="/health"' not in line]

    def generated_tokens(self) -> float:
        """Tokens that have been generated since the start."""
        _, text = self.ask("GET", "/metrics", self.api_key)
        return sum(map(float, re.findall(r"^vllm:generation_tokens_total\{.*\} (\S+)$", text.decode(), re.MULTILINE)))

    def completes(self, key: str | None = None) -> bool:
        """True when a token comes back."""
        body = json.dumps({"model": self.model, "prompt": "hello", "max_tokens": 1}).encode()
        return self.ask("POST", "/v1/completions", key or self.api_key, body)[0] == 200

    def log(self) -> str:
        """What the server has logged since its start."""
        return (self.home / ".local/share/lambda-vllm/logs/vllm.log").read_text(errors="replace")

    def server(self) -> psutil.Process:
        """The process that answers."""
        found = []
        for process in psutil.process_iter(["cmdline"]):
            command = " ".join(process.info["cmdline"] or [])
            if str(self.home) in command and "vllm serve" in command and "--middleware" in command:
                found.append(process)
        (server,) = found
        return server


@pytest.fixture(scope="module")
def target(served: Served) -> Target:
    outputs = served.outputs
    return Target(served.project, outputs["endpoint"], outputs["model"], outputs["api_key"], served.home())


def routes(log: str) -> list[tuple[str, list[str]]]:
    """Paths and methods that the server has logged at its start, with something in the place of a parameter.

    What has no methods is no HTTP: websockets, and other applications below a path.
    """
    found = re.findall(r"Route: (\S+), (?:Methods: ([A-Z, ]+)|Endpoint: )", log)
    return [
        (re.sub(r"\{\w+(:\w+)?\}", "resp_1", path), methods.strip().split(", ") if methods else [])
        for path, methods in found
    ]


def test_each_route_of_the_server_is_closed_without_the_key_and_with_it_unless_it_is_on_the_list(
    target: Target,
) -> None:
    listed = routes(target.log())
    assert {"/health", "/invocations", "/docs", "/v1/completions"} <= {path for path, _ in listed}
    for path, methods in [*listed, ("/metrics/", ["GET"]), ("/static/x", ["GET"]), ("/", ["GET", "POST"])]:
        for method in {*methods, "GET", "POST", "DELETE"}:
            if (path, method) == ("/health", "GET"):
                continue
            assert target.is_refused_by_the_guard(method, path), f"{method} {path} without the key"
            is_open = allowed_method(path) == method
            assert target.is_refused_by_the_guard(method, path, target.api_key) is not is_open, f"{method} {path}"


def test_what_the_list_opens_is_there_in_this_release(target: Target) -> None:
    """Paths of the tasks of other models are not: embeddings, scores, audio."""
    listed = {path.replace("resp_1", "{id}"): methods for path, methods in routes(target.log())}
    there = {path for path, method in ALLOWED.items() if method in listed.get(path, [])}
    assert len(there) >= 14
    assert {"/health", "/metrics", "/version", "/v1/models", "/tokenize", "/v1/responses/{id}/cancel"} <= there


@pytest.mark.parametrize("count", [200, pytest.param(2000, marks=pytest.mark.long)])
def test_malformed_requests_reach_nothing_break_nothing_and_leave_nothing(target: Target, count: int) -> None:
    for request in malformed_requests(SEED + 1, 100):
        statuses(target.endpoint, request)
    assert target.completes()
    server, log = target.server(), target.log()
    before, memory = target.served(), server.memory_info().rss
    requests = list(malformed_requests(SEED, count))
    with ThreadPoolExecutor(AT_ONCE) as clients:
        answers = list(clients.map(lambda request: statuses(target.endpoint, request), requests))
    for request, answered in zip(requests, answers, strict=True):
        assert all(status < 500 for status in answered), f"{request.what}: {answered}: {request.sent[:300]!r}"
        # Who asks for the health, even in bad company, gets it.
        assert b"/health" in request.sent or all(status >= 400 for status in answered), request
    assert sum(map(len, answers)) > count / 2, "most were not answered at all"
    assert target.served() == before
    assert target.server().pid == server.pid
    assert server.memory_info().rss - memory < GROWTH_BYTES
    assert "Traceback" not in target.log().removeprefix(log)
    assert target.completes()


def test_who_offers_http2_in_a_request_gets_its_token_in_this_protocol(target: Target) -> None:
    """As Java's HttpClient and `curl --http2` do where there is no TLS."""
    body = json.dumps({"model": target.model, "prompt": "hello", "max_tokens": 1}).encode()
    head = f"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {target.api_key}\r\n"
    head += "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    assert statuses(target.endpoint, Malformed("an offer of HTTP/2", head.encode() + body)) == [200]


def test_the_guard_tells_vllm_of_a_client_that_leaves_so_that_its_generation_ends(target: Target) -> None:
    wanted, sequences = 450, 4
    request = {
        "model": target.model,
        "prompt": "hello",
        "max_tokens": wanted,
        "n": sequences,
        # Without one there would be one answer only.
        "temperature": 1,
        "ignore_eos": True,
        "stream": True,
    }
    body = json.dumps(request).encode()
    before = target.generated_tokens()
    with connect(target.endpoint) as connection:
        head = f"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {target.api_key}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        assert connection.recv(4096).startswith(b"HTTP/1.1 200 ")
    seen, now = before, -1.0
    while seen != now:
        seen = target.generated_tokens()
        time.sleep(2)
        now = target.generated_tokens()
    assert now - before < wanted * sequences


def test_a_client_that_never_ends_its_head_is_cut_off_and_meanwhile_the_server_serves(target: Target) -> None:
    beginnings = (b"", b"\r\n", b"GET /v1/mod", b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nX: ")
    waiting = [connect(target.endpoint) for _ in range(SLOW_CLIENTS)]
    for number, connection in enumerate(waiting):
        connection.sendall(beginnings[number % len(beginnings)])
    # A header that grows by a letter now and then.
    dripping = set(waiting[len(beginnings) - 1 :: len(beginnings)])
    deadline = time.monotonic() + CUT_OFF_S
    while waiting and time.monotonic() < deadline:
        assert target.completes()
        readable, _, _ = select.select(waiting, [], [], 1.0)
        waiting = [connection for connection in waiting if connection not in readable or not _is_over(connection)]
        for connection in dripping.intersection(waiting):
            with suppress(OSError):
                connection.sendall(b"x")
    assert waiting == []


def _is_over(connection: socket.socket) -> bool:
    try:
        return not connection.recv(65536)
    except ssl.SSLWantReadError:
        return False
    except OSError:
        return True


def test_a_key_is_changed_without_a_gap_and_without_loading_the_model_again(target: Target) -> None:
    server, old = target.server().pid, target.api_key
    target.project.configure_secret("additionalApiKeys", json.dumps([NEXT_KEY]))
    target.project.up()
    assert target.completes(old)
    over, refused = threading.Event(), []

    def keep_asking() -> None:
        while not over.wait(BETWEEN_S):
            status, _ = target.ask("GET", "/v1/models", NEXT_KEY)
            if status != 200:
                refused.append(status)

    client = threading.Thread(target=keep_asking)
    client.start()
    try:
        target.project.configure(additionalApiKeys=None)
        target.project.configure_secret("apiKey", NEXT_KEY)
        target.project.up()
    finally:
        over.set()
        client.join()
    assert refused == []
    assert target.completes(NEXT_KEY)
    assert target.ask("GET", "/v1/models", old)[0] == 401
    assert target.project.output("api_key") == NEXT_KEY
    assert target.server().pid == server
