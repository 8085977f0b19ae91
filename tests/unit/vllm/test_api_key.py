"""The key of the endpoint: the user's, else a random one, and what becomes of either when the other takes its place."""

import pytest

from components.dynamic.inputs import Properties
from components.vllm.api_key.provider import ApiKeyProvider

GIVEN = "sk-a-key-of-the-user"


def inputs(given: str) -> Properties:
    return ApiKeyProvider().check({}, {"given": given}).inputs


def made(given: str = "") -> Properties:
    return ApiKeyProvider().create(inputs(given)).outs or {}


def updated(state: Properties, given: str) -> Properties:
    return ApiKeyProvider().update("id", state, inputs(given)).outs or {}


def changes(state: Properties, given: str) -> tuple[bool | None, list[str] | None]:
    found = ApiKeyProvider().diff("id", state, inputs(given))
    return found.changes, found.replaces


def test_a_random_key_is_made_once_and_stays() -> None:
    state = made()
    assert state["key"].startswith("sk-")
    assert state["key"] != made()["key"]
    assert changes(state, "") == (False, [])


def test_the_users_own_is_taken_as_it_is_and_stands_nowhere_but_in_the_secret_output() -> None:
    state = made(GIVEN)
    assert state["key"] == GIVEN
    assert GIVEN not in str({name: value for name, value in state.items() if name != "key"})
    assert changes(state, GIVEN) == (False, [])


def test_a_key_of_the_user_takes_the_place_of_the_random_one() -> None:
    state = made()
    assert changes(state, GIVEN) == (True, [])
    assert updated(state, GIVEN)["key"] == GIVEN


def test_a_key_that_is_taken_back_gives_way_to_a_new_one_which_is_said_beforehand(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Not to the random one from before it: who has changed keys has done so to shut somebody out."""
    first = made()
    state = updated(first, GIVEN)
    capsys.readouterr()
    assert changes(state, "") == (True, [])
    told = capsys.readouterr().out
    assert told == "apiKey is not set any more: the endpoint gets a new random key, and clients need it (`api_key`)\n"
    state = updated(state, "")
    assert state["key"] not in {first["key"], GIVEN}
    assert changes(state, "") == (False, [])
    assert capsys.readouterr().out == ""


def test_a_random_key_from_before_stays() -> None:
    state = {"key": "sk-from-an-earlier-version"}
    assert changes(state, "") == (False, [])
    assert changes(state, GIVEN) == (True, [])
