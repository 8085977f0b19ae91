"""Marks of secrets: where 1.2.1 puts them, and that none is lost or made up on the way."""

import asyncio
from typing import Any

import pytest
from pulumi.runtime.proto import provider_pb2

from scripts.command_plugin.engine import Engine
from scripts.command_plugin.properties import SECRET, SIGNATURE, UNKNOWN, from_wire, to_wire
from scripts.command_plugin.secrets import plain, secret_paths, with_secrets
from scripts.command_plugin.service import CommandService

URN = "urn:pulumi:test::commands::command:remote:Command::one"
NO_ENGINE = "127.0.0.1:1"

LOGIN = {"host": "h", "privateKey": "key", "password": "word", "privateKeyPassword": "phrase", "hostKey": "line"}
DEFAULTS = {"port": 22, "user": "root", "dialErrorLimit": 10, "perDialTimeout": 15}


def secret(value: Any) -> dict[str, Any]:
    return {SIGNATURE: SECRET, "value": value}


KEPT_BY_1_2_1 = secret(
    {
        "host": "h",
        "privateKey": secret("key"),
        "password": secret("word"),
        "privateKeyPassword": secret("phrase"),
        "hostKey": "line",
        **DEFAULTS,
    }
)


def called(name: str, request: Any) -> Any:
    """One call of the plugin, without an engine that would hear its messages."""

    async def call() -> Any:
        return await getattr(CommandService(Engine(NO_ENGINE), lambda: None), name)(request, None)

    return asyncio.run(call())


def checked(news: dict[str, Any]) -> dict[str, Any]:
    answer = called("Check", provider_pb2.CheckRequest(urn=URN, news=to_wire(news)))
    assert not answer.failures
    return from_wire(answer.inputs)


def previewed(news: dict[str, Any]) -> dict[str, Any]:
    request = provider_pb2.CreateRequest(urn=URN, properties=to_wire(news), preview=True)
    return from_wire(called("Create", request).properties)


def created(news: dict[str, Any]) -> dict[str, Any]:
    """Without a `create` nothing is dialled."""
    return from_wire(called("Create", provider_pb2.CreateRequest(urn=URN, properties=to_wire(news))).properties)


def updated(olds: dict[str, Any], news: dict[str, Any]) -> dict[str, Any]:
    request = provider_pb2.UpdateRequest(urn=URN, olds=to_wire(olds), news=to_wire(news))
    return from_wire(called("Update", request).properties)


@pytest.mark.parametrize("login", [secret(LOGIN), LOGIN, secret({**LOGIN, "privateKey": secret("key")})])
def test_connection_is_kept_in_one_form_however_the_program_marked_it(login: dict[str, Any]) -> None:
    assert checked({"connection": login})["connection"] == KEPT_BY_1_2_1


def test_marks_of_other_inputs_stay_where_they_are_and_none_is_added() -> None:
    given = {
        "create": "c",
        "stdin": secret("text"),
        "environment": {"A": secret("a"), "B": "b"},
        "triggers": ["one", secret("two"), secret([secret("three")])],
        "delete": secret("d"),
        "addPreviousOutputInEnv": False,
    }
    assert checked({"connection": LOGIN, **given}) == {"connection": KEPT_BY_1_2_1, **given}


@pytest.mark.parametrize("login", [UNKNOWN, secret(UNKNOWN)])
def test_connection_that_a_preview_does_not_know_is_secret_all_the_same(login: Any) -> None:
    assert checked({"connection": login})["connection"] == secret(UNKNOWN)


def test_unknown_key_within_a_known_connection_is_secret() -> None:
    kept = checked({"connection": secret({"host": "h", "privateKey": UNKNOWN})})["connection"]
    assert kept == secret({"host": "h", "privateKey": secret(UNKNOWN), **DEFAULTS})


def test_outputs_have_the_marks_of_the_inputs_and_what_was_printed_has_none() -> None:
    inputs = checked({"connection": secret(LOGIN), "stdin": secret("text"), "triggers": [secret("one")]})
    printed = {"stdout": "", "stderr": ""}
    assert created(inputs) == inputs | printed
    assert updated(created(inputs), inputs) == inputs | printed
    assert previewed(inputs) == inputs | dict.fromkeys(printed, UNKNOWN)


def test_mark_alone_is_no_change() -> None:
    """State of an earlier stand-in has no marks within a connection."""
    news = checked({"connection": LOGIN, "create": "c"})
    olds = {**news, "connection": secret(plain(news)["connection"])}
    answer = called("Diff", provider_pb2.DiffRequest(urn=URN, olds=to_wire(olds), news=to_wire(news)))
    assert answer.changes == provider_pb2.DiffResponse.DIFF_NONE


def test_another_secret_is_a_change() -> None:
    olds = checked({"connection": LOGIN, "stdin": secret("one")})
    news = checked({"connection": {**LOGIN, "privateKey": "another"}, "stdin": secret("two")})
    answer = called("Diff", provider_pb2.DiffRequest(urn=URN, olds=to_wire(olds), news=to_wire(news)))
    assert sorted(answer.diffs) == ["connection", "stdin"]


def test_refresh_gives_the_state_of_an_earlier_stand_in_the_marks_that_it_lacks() -> None:
    state = checked({"connection": LOGIN, "create": "c"})
    earlier = to_wire({**state, "connection": secret(plain(state)["connection"])})
    answer = called("Read", provider_pb2.ReadRequest(urn=URN, id="one", properties=earlier, inputs=earlier))
    assert from_wire(answer.properties) == from_wire(answer.inputs) == state


def test_refused_input_is_not_printed_when_it_is_secret() -> None:
    news = {"connection": secret({"host": "h", "privatekey": secret("KEY")})}
    answer = called("Check", provider_pb2.CheckRequest(urn=URN, news=to_wire(news)))
    assert [failure.reason.partition(":")[0] for failure in answer.failures] == ["connection.privatekey"]
    assert "KEY" not in answer.failures[0].reason


def test_marks_taken_off_and_put_on_again_are_the_same() -> None:
    marked = {"a": secret({"b": secret([secret(1), 2]), "c": 3}), "d": [], "e": {}}
    assert plain(marked) == {"a": {"b": [1, 2], "c": 3}, "d": [], "e": {}}
    assert with_secrets(plain(marked), secret_paths(marked)) == marked
