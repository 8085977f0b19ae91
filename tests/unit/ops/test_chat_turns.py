"""How a conversation is typed, and what is sent of it."""

from collections.abc import Iterator
from typing import Any

import pytest

from ops.bench import Load, lines, read_result
from ops.chat import talk, turn
from ops.conversation import Conversation, Speed
from ops.errors import OpsError
from ops.outputs import StackOutputs
from ops.refusal import message_of
from ops.server import Server, ServerError, checked


class Typed:
    """Lines as a user types them; an exception is a key."""

    def __init__(self, *lines: str | BaseException) -> None:
        self._lines = list(lines)

    def __call__(self, prompt: str) -> str:
        line = self._lines.pop(0) if self._lines else EOFError()
        if isinstance(line, BaseException):
            raise line
        return line


class Echo(Server):
    """Answers with how many messages it was sent; keeps them."""

    def __init__(self, refusal: ServerError | None = None, broken_off: bool = False) -> None:
        super().__init__("http://127.0.0.1:1/v1", "key", None)
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self._refusal, self._broken_off = refusal, broken_off

    def stream(self, path: str, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        self.sent.append((path, body))
        if self._refusal and path == "/chat/completions":
            raise self._refusal
        piece = {"text": "one "} if path == "/completions" else {"delta": {"content": "one "}}
        yield {"choices": [piece]}
        if self._broken_off:
            raise KeyboardInterrupt
        yield {"choices": [piece]}
        yield {"choices": [], "usage": {"completion_tokens": 2}}


def conversation(server: Server) -> Conversation:
    return Conversation(server, "m", None, None)


def contents(body: dict[str, Any]) -> list[str]:
    return [message["content"] for message in body["messages"]]


def test_a_turn_is_a_line_or_goes_on_after_a_backslash_or_stands_between_quotes() -> None:
    assert turn(Typed("one")) == "one"
    assert turn(Typed("one\\", "two\\", "three")) == "one\ntwo\nthree"
    assert turn(Typed('"""', "def f():", "", "    pass", '"""')) == "def f():\n\n    pass"


def test_the_conversation_is_kept_until_it_is_reset_and_the_system_prompt_after_that() -> None:
    server = Echo()
    talk(conversation(server), Typed("/system be brief", "a", "b", "/reset", "c", "/system", "d", "/quit", "never"))
    assert [contents(body) for _, body in server.sent] == [
        ["be brief", "a"],
        ["be brief", "a", "one one ", "b"],
        ["be brief", "c"],
        ["c", "one one ", "d"],
    ]


def test_ctrl_c_gives_up_a_line_or_an_answer_and_not_the_program_and_ctrl_d_ends(
    capsys: pytest.CaptureFixture[str],
) -> None:
    server = Echo(broken_off=True)
    assert talk(conversation(server), Typed(KeyboardInterrupt(), "a", "b", EOFError())) == 0
    # What came of the answer that was stopped is part of the conversation.
    assert contents(server.sent[1][1]) == ["a", "one ", "b"]
    assert "[stopped: 1 token" in capsys.readouterr().err


def test_a_word_after_a_slash_that_is_no_command_is_not_sent(capsys: pytest.CaptureFixture[str]) -> None:
    server = Echo()
    talk(conversation(server), Typed("/quiet", "", "/etc/passwd is a file", "/quit"))
    assert [contents(body) for _, body in server.sent] == [["/etc/passwd is a file"]]
    assert "there is no /quiet" in capsys.readouterr().err


def test_a_refusal_is_one_line_and_what_was_asked_is_forgotten(capsys: pytest.CaptureFixture[str]) -> None:
    server = Echo(ServerError(400, "the context is full"))
    made = conversation(server)
    talk(made, Typed("too long"))
    assert "ops: the server answered 400: the context is full" in capsys.readouterr().err
    assert made.messages == []


def test_a_model_without_a_chat_template_goes_on_with_the_text_and_says_so_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    server = Echo(ServerError(400, "you must provide a chat template if the tokenizer does not define one."))
    talk(conversation(server), Typed("Once upon", " a time"))
    asked = [body["prompt"] for path, body in server.sent if path == "/completions"]
    assert asked == ["Once upon", "Once upon" + "one one " + " a time"]
    assert capsys.readouterr().err.count("no chat template") == 1


def test_the_speed_is_of_the_whole_answer_so_that_a_burst_is_no_record() -> None:
    speed = Speed(asked=10.0, first=12.0, last=12.5, pieces=4, tokens=5)
    assert str(speed) == "5 tokens, 2.0 tokens/s, first after 2.00 s"
    assert str(Speed()) == "0 tokens"


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ('{"error": {"message": "no such model", "code": 404}}', "no such model"),
        ('{"message": "no"}', "no"),
        ("<html>\n<body>", "<html>"),
        ("", "without a word"),
        ("[1]", "[1]"),
    ],
)
def test_an_error_of_any_form_is_one_line(body: str, line: str) -> None:
    assert message_of(body) == line


@pytest.mark.parametrize("error", [{"message": "over", "code": "rate_limit"}, {"message": "over", "code": 429}, "over"])
def test_an_error_in_the_middle_of_a_stream_is_told_whatever_its_form(error: Any) -> None:
    with pytest.raises(ServerError, match="over"):
        checked({"error": error})


def result(completed: int, error: str | None) -> dict[str, Any]:
    latency = {f"{p}_{name}_ms": 20.0 for p in ("p50", "p95", "p99") for name in ("ttft", "itl", "e2el")}
    rates = {"request_throughput": 2.0, "output_throughput": 1000.0, "total_token_throughput": 2000.0}
    return {"completed": completed, "failed": 4 - completed, "duration": 2.0, "first_error": error, **rates, **latency}


def test_a_benchmark_tells_latency_rate_and_price() -> None:
    outputs = StackOutputs({"model": "m", "price_per_hour": 3.6, "instance_type": "gpu_1x_gh200"})
    found = read_result(result(3, "Bad Gateway"), outputs, Load(4, 2, 8, 8))
    text = "\n".join(lines(found))
    assert found.dollars_per_million_output_tokens == pytest.approx(1.0)
    assert found.dollars_per_million_tokens == pytest.approx(0.5)
    assert "$1.00 per million output tokens, $0.50 per million tokens in all, at $3.60 an hour" in text
    assert "3 answered, 1 failed" in text
    assert "Bad Gateway" in text
    assert "first token              20 ms     20 ms     20 ms" in text


def test_a_benchmark_without_one_answer_is_an_error_that_says_why() -> None:
    outputs = StackOutputs({"model": "m"})
    with pytest.raises(OpsError, match=r"every request failed, 4 in all: Bad Request \(do 8 tokens in and 9 out fit"):
        read_result(result(0, "Bad Request"), outputs, Load(4, 2, 8, 9))
