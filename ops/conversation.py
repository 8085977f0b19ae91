"""A conversation with the model, and its answers as they come."""

import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

from components.text.counted import counted
from ops.errors import OpsError
from ops.say import say
from ops.server import Server, ServerError

BAD_REQUEST = 400


@dataclass
class Speed:
    """Of one answer."""

    asked: float = field(default_factory=time.monotonic)
    first: float | None = None
    last: float | None = None
    pieces: int = 0
    """What came with text; a token each, but for those that are half a letter."""
    tokens: int | None = None
    """What the server has counted, when the answer came to its end."""

    def count(self) -> None:
        """One more piece has come."""
        self.last = time.monotonic()
        self.first = self.last if self.first is None else self.first
        self.pieces += 1

    def __str__(self) -> str:
        tokens = self.tokens if self.tokens is not None else self.pieces
        written = counted(tokens, "token")
        if self.first is None or self.last is None:
            return written
        # Over the whole time: the tokens of a busy server come in bursts, between which there is no time to divide by.
        lasted = self.last - self.asked
        return f"{written}, {tokens / lasted:.1f} tokens/s, first after {self.first - self.asked:.2f} s"


class Conversation:
    """What was said so far. A model without a chat template gets all of it as one text to go on with."""

    def __init__(self, server: Server, model: str, max_tokens: int | None, system: str | None) -> None:
        self._server, self._model, self._max_tokens = server, model, max_tokens
        self._templated = True
        self.system = system
        self.messages: list[dict[str, str]] = []
        self.speed = Speed()

    def reset(self) -> None:
        """Forget what was said, but not the system prompt."""
        self.messages = []

    def ask(self, prompt: str) -> Generator[str, None, None]:
        """The answer, piece by piece; what came of it is kept, also of one that is broken off.

        Raises:
            OpsError: the text is none, the server refused or the connection broke; what was asked is forgotten when
                nothing came.
        """
        for text in (prompt, self.system or ""):
            check_text(text)
        self.messages.append({"role": "user", "content": prompt})
        self.speed = Speed()
        answer = ""
        try:
            for piece in self._pieces():
                self.speed.count()
                answer += piece
                yield piece
        finally:
            if answer:
                self.messages.append({"role": "assistant", "content": answer})
            else:
                self.messages.pop()

    def _pieces(self) -> Iterator[str]:
        if self._templated:
            try:
                yield from self._stream("/chat/completions", {"messages": self._with_system()}, chat_text)
                return
            except ServerError as error:
                if not is_without_template(error):
                    raise
            self._templated = False
            say("this model has no chat template, so it goes on with the text instead of answering it")
        yield from self._stream("/completions", {"prompt": self._as_text()}, completion_text)

    def _stream(self, path: str, body: dict[str, Any], text_of: Callable[[dict[str, Any]], str]) -> Iterator[str]:
        request = {"model": self._model, "stream_options": {"include_usage": True}, **body}
        if self._max_tokens:
            request["max_tokens"] = self._max_tokens
        for event in self._server.stream(path, request):
            if event.get("usage"):
                self.speed.tokens = event["usage"].get("completion_tokens")
            for choice in event.get("choices", []):
                text = text_of(choice)
                if text:
                    yield text

    def _with_system(self) -> list[dict[str, str]]:
        return [*([{"role": "system", "content": self.system}] if self.system else []), *self.messages]

    def _as_text(self) -> str:
        return "".join(message["content"] for message in self._with_system())


def check_text(text: str) -> None:
    """OpsError for what is not Unicode: Python keeps bytes that it cannot read as halves of letters."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise OpsError(
            f"the text is not UTF-8 at letter {error.start + 1}, so nothing was sent: set the terminal to UTF-8, or "
            "convert the file (`iconv -f LATIN1 -t UTF-8 FILE`)"
        ) from None


def chat_text(choice: dict[str, Any]) -> str:
    """What a piece of a chat's answer says; a model that thinks aloud says that apart."""
    delta = choice.get("delta") or {}
    return str(delta.get("content") or delta.get("reasoning") or delta.get("reasoning_content") or "")


def completion_text(choice: dict[str, Any]) -> str:
    """What a piece of a completion says."""
    return str(choice.get("text") or "")


def is_without_template(error: ServerError) -> bool:
    """Whether the model was trained to go on with a text and not to chat."""
    return error.status == BAD_REQUEST and "provide a chat template" in error.message
