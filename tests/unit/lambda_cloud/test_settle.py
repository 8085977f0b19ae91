"""A write whose answer got lost is looked for before it is written again."""

import sys
from collections.abc import Callable, Sequence
from typing import cast

import pytest

from components.dynamic.engine import EngineGoneError
from components.lambda_cloud.api.client import LambdaClient
from components.lambda_cloud.api.errors import TRANSIENT, ApiError, CloudError, NoAnswerError, ServerFaultError
from components.lambda_cloud.settle import ATTEMPTS, LOOKS, settle

LOST = NoAnswerError("the answer was lost")
TAKEN = ApiError("create", 400, "global/invalid-parameters", "name must be unique")


class Play:
    """A cloud that answers writes and looks as told, and keeps the order in which they came."""

    def __init__(self, writes: Sequence[str | CloudError], looks: Sequence[str | None] = ()) -> None:
        self._writes = list(writes)
        self._looks = list(looks)
        self.events: list[str] = []

    def pause(self) -> None:
        """In the client's place."""

    def write(self) -> str:
        self.events.append("write")
        answer = self._writes.pop(0)
        if isinstance(answer, CloudError):
            raise answer
        return answer

    def look(self) -> str | None:
        self.events.append("look")
        return self._looks.pop(0) if self._looks else None

    def settle(self, write: Callable[[], str] | None = None) -> str:
        return settle(cast(LambdaClient, self), "create a thing", write or self.write, self.look)


def test_a_write_that_is_answered_needs_no_look() -> None:
    play = Play(["made"])
    assert play.settle() == "made"
    assert play.events == ["write"]


@pytest.mark.parametrize("late", [0, 1])
def test_what_a_look_finds_is_never_written_a_second_time(late: int) -> None:
    play = Play([LOST], [None] * late + ["found"])
    assert play.settle() == "found"
    assert play.events.count("write") == 1


def test_a_second_write_comes_only_after_every_look_found_nothing() -> None:
    play = Play([LOST, "made"])
    assert play.settle() == "made"
    assert play.events == ["write", *["look"] * LOOKS, "write"]


@pytest.mark.parametrize("trouble", TRANSIENT)
def test_every_trouble_that_leaves_a_doubt_is_looked_into(trouble: type[CloudError]) -> None:
    error = trouble("write", 500, "x", "y") if trouble is ServerFaultError else trouble("what")
    assert Play([error], ["found"]).settle() == "found"


def test_it_is_given_up_after_some_attempts_with_the_last_trouble_and_a_last_look() -> None:
    play = Play([LOST] * (ATTEMPTS - 1) + [NoAnswerError("the last one")])
    with pytest.raises(NoAnswerError, match="the last one"):
        play.settle()
    assert play.events == ["write", *["look"] * LOOKS] * ATTEMPTS


def test_a_refusal_that_is_the_echo_of_the_first_write_is_a_success() -> None:
    play = Play([LOST, TAKEN], [None] * LOOKS + ["found"])
    assert play.settle() == "found"
    assert play.events.count("write") == 2


def test_a_refusal_that_is_no_echo_is_an_error() -> None:
    with pytest.raises(ApiError, match="must be unique"):
        Play([LOST, TAKEN]).settle()


def test_a_refusal_of_the_first_write_is_an_error_at_once() -> None:
    play = Play([TAKEN], ["somebody else's"])
    with pytest.raises(ApiError, match="must be unique"):
        play.settle()
    assert play.events == ["write"]


def test_nothing_is_written_for_an_engine_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    # Nothing listens on port 1.
    monkeypatch.setattr(sys, "argv", ["plugin", "127.0.0.1:1"])
    play = Play(["made"])
    with pytest.raises(EngineGoneError):
        play.settle()
    assert play.events == []


def test_nothing_is_written_again_when_the_engine_went_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    play = Play([LOST, "made"])

    def write_and_lose_the_engine() -> str:
        monkeypatch.setattr(sys, "argv", ["plugin", "127.0.0.1:1"])
        return play.write()

    with pytest.raises(EngineGoneError):
        play.settle(write_and_lose_the_engine)
    assert play.events.count("write") == 1
