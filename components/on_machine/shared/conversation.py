"""What a client says to find out whether a model answers, and what the right answers are.

In this order: `HEALTH` without the key, `MODELS` with it, one token of `COMPLETIONS` with it, and `MODELS` without it,
which has to be refused. The machine asks so before it calls a server ready, and the user's computer in the end.
"""

import http.client
import json
from dataclasses import dataclass
from typing import Any

HEALTH = "/health"
MODELS = "/v1/models"
COMPLETIONS = "/v1/completions"


@dataclass(frozen=True)
class Answer:
    """Of a server, whole."""

    status: int
    body: bytes
    date: str | None
    """By its clock, as HTTP writes it; None when it does not say."""


def token_request(model: str) -> bytes:
    """The body that asks for one token."""
    return json.dumps({"model": model, "prompt": "Hello", "max_tokens": 1}).encode()


def ask(
    connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None = None, key: str | None = None
) -> Answer:
    """Ask once, and close the connection. `OSError` and `HTTPException` when no whole answer comes."""
    headers = {"Content-Type": "application/json"} if body is not None else {}
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return Answer(answer.status, answer.read(), answer.getheader("Date"))
    finally:
        connection.close()


def names(answer: Answer) -> list[str]:
    """The models that an answer of `MODELS` lists; `ValueError` when it is no such answer."""
    listed = _list(answer, "data")
    if listed is None or not all(isinstance(model, dict) for model in listed):
        raise ValueError("the answer lists no models")
    return [str(model.get("id")) for model in listed]


def has_token(answer: Answer) -> bool:
    """Whether an answer of `COMPLETIONS` brings one."""
    return bool(_list(answer, "choices"))


def _list(answer: Answer, name: str) -> list[Any] | None:
    try:
        said = json.loads(answer.body)
    except ValueError:
        return None
    found = said.get(name) if isinstance(said, dict) else None
    return found if isinstance(found, list) else None
