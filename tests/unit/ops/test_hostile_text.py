"""Text of a terminal that is not UTF-8, errors in every form that servers give them, and a HOME of no use."""

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ops.chat import chat_input, once, talk
from ops.conversation import Conversation
from ops.errors import OpsError
from ops.refusal import message_of
from ops.server import Server
from ops.tunnel import to_paste
from tests.unit.ops.test_outputs import outputs

FROM_LATIN_1 = b"caf\xe9".decode(errors="surrogateescape")
VALIDATION = """\
2 validation errors:
  {'type': 'missing', 'loc': 'body.messages', 'msg': 'Field required', 'input': '<dict of 2 items>'}
  {'type': 'int_parsing', 'loc': 'body.n', 'msg': "it's no number", 'input': 'x'}"""
CUT_OFF = "1 validation error:\n  {'type': 'x', 'loc': 'body.stop', 'msg': 'Too long', 'input': 'aaa...[truncated]"


class Recording(Server):
    """Answers with a word and keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__("http://192.0.2.1/v1", "key", None)
        self.asked: list[dict[str, Any]] = []

    def stream(self, path: str, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        self.asked.append(body)
        yield {"choices": [{"delta": {"content": "oui"}}]}


def test_text_that_is_not_utf_8_is_told_in_a_line_and_not_sent() -> None:
    server = Recording()
    with pytest.raises(OpsError, match=r"not UTF-8.*nothing was sent"):
        once(Conversation(server, "m", None, None), FROM_LATIN_1)
    with pytest.raises(OpsError, match="not UTF-8"):
        once(Conversation(server, "m", None, f"be a {FROM_LATIN_1}"), "x")
    assert server.asked == []


def test_a_conversation_goes_on_after_such_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    server = Recording()
    lines = iter([FROM_LATIN_1, "coffee", "/quit"])
    talk(Conversation(server, "m", None, None), lambda _: next(lines))
    assert [message["content"] for message in server.asked[0]["messages"]] == ["coffee"]
    assert capsys.readouterr().err.count("not UTF-8") == 1


def test_what_comes_by_standard_input_is_no_traceback_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"caf\xe9"), encoding="utf-8"))
    assert chat_input().read() == FROM_LATIN_1


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (json.dumps({"error": {"message": "too long", "type": "BadRequestError", "code": 400}}), "too long"),
        (json.dumps({"error": {"message": VALIDATION}}), "messages: Field required (and 1 more)"),
        (json.dumps({"error": {"message": CUT_OFF}}), "stop: Too long"),
        (json.dumps({"error": "Unauthorized"}), "Unauthorized"),
        (json.dumps({"message": "gone"}), "gone"),
        (json.dumps({"detail": "Not Found"}), "Not Found"),
        (json.dumps({"detail": [{"loc": ["body", "n"], "msg": "Field required"}]}), "n: Field required"),
        (json.dumps({"error": {"message": "first\nsecond"}}), "first"),
        (json.dumps({"status": "overloaded"}), '{"status": "overloaded"}'),
        ("<html>\n<head><title>502 Bad Gateway</title></head>\n</html>", "502 Bad Gateway"),
        ("plain", "plain"),
        ("", "without a word"),
    ],
)
def test_a_servers_error_is_one_readable_line_whatever_its_form(body: str, line: str) -> None:
    assert message_of(body) == line


@pytest.mark.parametrize("home", ["a file", "of nobody"])
def test_a_home_of_no_use_costs_the_tunnel_nothing_but_a_line(
    home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    (tmp_path / "file").touch()
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    if home == "of nobody":
        monkeypatch.setattr(Path, "home", no_home)
    (folder := tmp_path / "private").mkdir()
    lines = to_paste(outputs(ca_certificate="PEM", api_key="k"), 8000, folder)
    assert lines[-1] == f"export SSL_CERT_FILE={folder}/ca.pem"
    assert (folder / "ca.pem").read_text() == "PEM"
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "only while the tunnel is open" in told


def no_home() -> Path:
    raise RuntimeError("Could not determine home directory.")
