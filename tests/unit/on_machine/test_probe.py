"""When a server counts as ready. It is a real one, over the wire, that answers as a test says."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from components.on_machine.service.generations import Generation
from components.on_machine.service.probe import NOT_YET, NotReadyError, Probe
from components.on_machine.shared.paths import Places

KEY = "sk-the-key-of-this-test"
MODELS = json.dumps({"data": [{"id": "a/b"}]})
TOKEN = json.dumps({"choices": [{"text": "."}]})


class Server(ThreadingHTTPServer):
    """Answers by method, path and key: status and body."""

    answers: dict[tuple[str, str, bool], tuple[int, str]]
    key: str
    cut: bool
    new_key_in: Path | None
    """At the next completion the keys are replaced."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.command == "POST" and self.server.new_key_in:
            self.server.new_key_in.write_text("sk-new\n")
            self.server.key, self.server.new_key_in = "sk-new", None
        has_key = self.headers.get("Authorization") == f"Bearer {self.server.key}"
        status, body = self.server.answers.get((self.command, self.path, has_key), (401, ""))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) + (1000 if self.server.cut and self.command == "POST" else 0)))
        self.end_headers()
        self.wfile.write(body.encode())

    do_GET = do_POST = _answer  # noqa: N815 - names of the standard library

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as made:
        made.cut, made.key, made.new_key_in = False, KEY, None
        made.answers = {
            ("GET", "/health", False): (200, ""),
            ("GET", "/v1/models", True): (200, MODELS),
            ("POST", "/v1/completions", True): (200, TOKEN),
        }
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def probe(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Probe:
    monkeypatch.delenv("BIND_ADDRESS", raising=False)
    config = {"model": "a/b", "served-model-name": ["a/b"], "port": server.server_port}
    (tmp_path / "vllm.yaml").write_text(json.dumps(config))
    (tmp_path / "setting.json").write_text('{"tls": false}')
    here = Places(tmp_path)
    here.settings.mkdir(parents=True)
    here.api_keys.write_text(f"{KEY}\nsk-another-one\n")
    return Probe(Generation("key", tmp_path), here)


def test_a_token_for_the_key_and_nothing_without_it_is_ready(probe: Probe) -> None:
    assert probe.is_ready()


@pytest.mark.parametrize(
    "answer",
    [
        {("GET", "/health", False): (503, "")},
        {("GET", "/v1/models", True): (500, "")},
        {("POST", "/v1/completions", True): (503, "")},
        {("POST", "/v1/completions", True): (429, "others wait too")},
        {("POST", "/v1/completions", True): (200, "{}")},
        {("POST", "/v1/completions", True): (200, "no JSON")},
    ],
)
def test_without_a_token_it_is_not_ready_yet(
    probe: Probe, server: Server, answer: dict[tuple[str, str, bool], tuple[int, str]]
) -> None:
    server.answers |= answer
    assert not probe.is_ready()


def test_an_answer_that_is_cut_off_is_none(probe: Probe, server: Server) -> None:
    server.cut = True
    assert not probe.is_ready()


def test_keys_that_are_replaced_meanwhile_are_read_anew(probe: Probe, server: Server, tmp_path: Path) -> None:
    server.new_key_in = Places(tmp_path).api_keys
    assert probe.is_ready()


@pytest.mark.parametrize("body", ["[]", '{"data": [1]}', '{"data": null}', "no JSON"])
def test_somebody_else_on_the_port_is_not_ready_yet(probe: Probe, server: Server, body: str) -> None:
    server.answers["GET", "/v1/models", True] = (200, body)
    with pytest.raises(NOT_YET):
        probe.is_ready()


def test_nobody_who_listens_is_not_ready_yet(probe: Probe, server: Server) -> None:
    server.shutdown()
    server.server_close()
    assert not probe.is_ready()


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({("GET", "/v1/models", False): (200, MODELS)}, "answers without the key and was stopped"),
        ({("GET", "/v1/models", True): (200, '{"data": [{"id": "c/d"}]}')}, "lists c/d, not a/b"),
        ({("POST", "/v1/completions", True): (404, "no such API")}, "refused a completion of a/b: 404 no such API"),
    ],
)
def test_what_will_not_change_by_waiting_is_told(
    probe: Probe, server: Server, answer: dict[tuple[str, str, bool], tuple[int, str]], told: str
) -> None:
    server.answers |= answer
    with pytest.raises(NotReadyError, match=told):
        probe.is_ready()
