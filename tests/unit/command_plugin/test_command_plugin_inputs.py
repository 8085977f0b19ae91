"""What the stand-in makes of inputs: defaults, rules and differences."""

from typing import Any

import pytest

from scripts.command_plugin.inputs import CommandInputs, CopyInputs, changed_keys, failures, parsed, with_defaults
from scripts.command_plugin.properties import ARCHIVE, ASSET, SIGNATURE, UNKNOWN, from_wire, to_wire


def command(**inputs: Any) -> dict[str, Any]:
    return {"connection": {"host": "h"}, **inputs}


def asset(**members: str) -> dict[str, str]:
    return {SIGNATURE: ASSET, **members}


def archive(**members: str) -> dict[str, str]:
    return {SIGNATURE: ARCHIVE, **members}


def copy(source: Any) -> dict[str, Any]:
    return {"connection": {"host": "h"}, "source": source, "remotePath": "/p"}


def test_defaults_are_those_of_1_2_1_and_given_values_stay() -> None:
    assert with_defaults(CommandInputs, command(create="c")) == {
        "connection": {"host": "h", "port": 22, "user": "root", "dialErrorLimit": 10, "perDialTimeout": 15},
        "create": "c",
        "addPreviousOutputInEnv": True,
    }
    given = command(connection={"host": "h", "port": 2222, "user": "u", "dialErrorLimit": -1, "perDialTimeout": 0})
    given["addPreviousOutputInEnv"] = False
    assert with_defaults(CommandInputs, given) == given


def test_unknown_connection_gets_no_defaults() -> None:
    assert with_defaults(CommandInputs, {"connection": UNKNOWN})["connection"] == UNKNOWN


def test_numbers_that_crossed_the_wire_as_floats_are_whole_again() -> None:
    wire = from_wire(to_wire(command(connection={"host": "h", "port": 2222, "dialErrorLimit": -1})))
    connection = parsed(CommandInputs, wire).connection
    assert (connection.port, connection.dial_error_limit) == (2222, -1)


def test_state_with_outputs_is_read_as_inputs() -> None:
    assert parsed(CommandInputs, command(create="c", stdout="o", stderr="e")).create == "c"


@pytest.mark.parametrize(
    "inputs",
    [
        command(create=UNKNOWN, triggers=[UNKNOWN], stdin=UNKNOWN, environment=UNKNOWN, logging=UNKNOWN),
        command(connection=UNKNOWN),
        command(connection={"host": UNKNOWN, "port": UNKNOWN, "dialErrorLimit": UNKNOWN}),
        command(addPreviousOutputInEnv=UNKNOWN, environment={"A": UNKNOWN}),
    ],
)
def test_values_that_a_preview_does_not_know_break_no_rule(inputs: dict[str, Any]) -> None:
    assert failures(CommandInputs, inputs) == []


@pytest.mark.parametrize(
    ("inputs", "name"),
    [
        ({}, "connection"),
        (command(connection={}), "connection.host"),
        (command(connection={"host": "h", "port": "ssh"}), "connection.port"),
        (command(connection={"host": "h", "privatekey": "SECRET"}), "connection.privatekey"),
        (command(connection={"host": "h", "proxy": {"host": "SECRET"}}), "connection.proxy"),
        (command(logging="everything"), "logging"),
        (command(environment={"A": ["b"]}), "environment.A"),
        (command(created="c"), "created"),
    ],
)
def test_wrong_input_is_named_in_one_line_without_its_value(inputs: dict[str, Any], name: str) -> None:
    (reason,) = failures(CommandInputs, inputs)
    assert reason.startswith(f"{name}: ")
    assert "\n" not in reason
    assert "SECRET" not in reason


@pytest.mark.parametrize("source", [asset(path="f"), asset(text="t"), archive(path="d")])
def test_source_is_a_file_a_text_or_a_directory(source: dict[str, str]) -> None:
    assert failures(CopyInputs, copy(source)) == []


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (UNKNOWN, "either asset or archive must be set"),
        ({}, "either asset or archive must be set"),
        (asset(uri="https://example.com"), "asset must be a path-based file asset or a text asset"),
        (asset(text=""), "asset must be a path-based file asset or a text asset"),
        (archive(uri="https://example.com"), "archive must be a path to a file or directory"),
    ],
)
def test_source_that_cannot_be_copied_is_refused_as_by_1_2_1(source: Any, reason: str) -> None:
    (failure,) = failures(CopyInputs, copy(source))
    assert failure.startswith(f"source: {reason}")


def test_outputs_absent_values_and_numbers_kinds_are_no_difference() -> None:
    olds = command(create="c", stdin=None, triggers=[1], stdout="o", stderr="e")
    assert changed_keys(CommandInputs, olds, command(create="c", triggers=[1.0])) == []


def test_every_input_that_differs_is_named() -> None:
    olds = command(create="c", triggers=["a"], stdin="s")
    news = command(create="d", triggers=["b"], logging="none")
    news["connection"] = {"host": "other"}
    assert set(changed_keys(CommandInputs, olds, news)) == {"connection", "create", "triggers", "stdin", "logging"}


def test_unknown_value_differs_from_any_known_one() -> None:
    assert changed_keys(CommandInputs, command(create="c"), command(create=UNKNOWN)) == ["create"]


def test_source_is_compared_by_content_and_not_by_path() -> None:
    olds = copy(asset(path="old/place", hash="1"))
    assert changed_keys(CopyInputs, olds, copy(asset(path="new/place", hash="1"))) == []
    assert changed_keys(CopyInputs, olds, copy(asset(path="old/place", hash="2"))) == ["source"]
    assert changed_keys(CopyInputs, olds, copy(archive(path="old/place", hash="1"))) == ["source"]


@pytest.mark.parametrize(
    ("logging", "streams"),
    [
        (None, (True, True)),
        ("stdoutAndStderr", (True, True)),
        ("stdout", (True, False)),
        ("stderr", (False, True)),
        ("none", (False, False)),
    ],
)
def test_logging_names_the_streams_that_are_shown(logging: str | None, streams: tuple[bool, bool]) -> None:
    inputs = parsed(CommandInputs, command(logging=logging))
    assert (inputs.logs_stdout, inputs.logs_stderr) == streams
