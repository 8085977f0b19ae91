"""What a Command does on create, update, replacement and delete."""

import time

import asyncssh
import pytest

from tests.support.command_plugin.ssh_host import SshHost
from tests.support.command_plugin.stack import PulumiError, Stack


def test_output_is_streamed_while_the_command_runs_and_kept_in_the_outputs(host: SshHost, stack: Stack) -> None:
    host.listen()
    stack.program("""
        one = remote.Command("one", connection=connection, create="echo out; echo err >&2; echo last")
        pulumi.export("stdout", one.stdout)
        pulumi.export("stderr", one.stderr)
    """)
    outcome = stack.up()
    assert outcome.outputs == {"stdout": "out\nlast", "stderr": "err"}
    assert sorted(outcome.status_lines) == [("one", "err"), ("one", "last"), ("one", "out")]


def test_stand_in_says_once_that_it_is_one(host: SshHost, stack: Stack) -> None:
    host.listen()
    stack.program("""
        for number in range(3):
            remote.Command(f"number-{number}", connection=connection, create="true")
    """)
    assert sum("stand-in" in message for message in stack.up().messages) == 1
    assert not any("stand-in" in message for message in stack.up().messages)


def test_logging_chooses_the_streams_that_are_shown_and_both_stay_outputs(host: SshHost, stack: Stack) -> None:
    host.listen()
    stack.program("""
        for logging in remote.Logging:
            one = remote.Command(logging.value, connection=connection, create="echo out; echo err >&2", logging=logging)
            pulumi.export(logging.value, pulumi.Output.concat(one.stdout, one.stderr))
    """)
    outcome = stack.up()
    assert sorted(outcome.status_lines) == [
        ("stderr", "err"),
        ("stdout", "out"),
        ("stdoutAndStderr", "err"),
        ("stdoutAndStderr", "out"),
    ]
    assert outcome.outputs == dict.fromkeys(["stdout", "stderr", "stdoutAndStderr", "none"], "outerr")


def test_stdin_reaches_the_command_and_a_missing_one_ends_at_once(host: SshHost, stack: Stack) -> None:
    host.listen()
    text = "x" * 300_000
    stack.program(f"""
        given = remote.Command("given", connection=connection, create="wc -c", stdin="x" * {len(text)})
        none = remote.Command("none", connection=connection, create="wc -c")
        remote.Command("unread", connection=connection, create="true", stdin="x" * {len(text)})
        pulumi.export("given", given.stdout)
        pulumi.export("none", none.stdout)
    """)
    outputs = stack.up().outputs
    assert (int(outputs["given"]), int(outputs["none"])) == (len(text), 0)


def test_failing_command_shows_its_status_text_and_all_output_and_leaves_no_resource(
    host: SshHost, stack: Stack
) -> None:
    host.listen()
    stack.program("""
        remote.Command("bad", connection=connection, create='echo "to out"; echo to err >&2; exit 3')
    """)
    with pytest.raises(PulumiError) as failure:
        stack.up()
    assert r'Process exited with status 3: running "echo \"to out\"; echo to err >&2; exit 3":' in str(failure.value)
    assert "to out" in str(failure.value)
    assert "to err" in str(failure.value)
    assert "bad" not in stack.names()


def test_changed_input_runs_update_in_place_and_create_again_where_there_is_no_update(
    host: SshHost, stack: Stack
) -> None:
    host.listen()
    program = """
        remote.Command("both", connection=connection, create="echo c >> both", update="echo u >> both", stdin="{stdin}")
        remote.Command("only", connection=connection, create="echo c >> only", stdin="{stdin}")
    """
    stack.program(program.format(stdin="one"))
    stack.up()
    identities = {name: stack.resource(name)["id"] for name in ("both", "only")}
    stack.program(program.format(stdin="two"))
    outcome = stack.up()
    assert sorted(outcome.operations) == [("both", "update"), ("only", "update")]
    assert {name: stack.resource(name)["id"] for name in identities} == identities
    assert (host.disk / "both").read_text() == "c\nu\n"
    assert (host.disk / "only").read_text() == "c\nc\n"


def test_changed_trigger_replaces_and_the_new_create_comes_before_the_old_delete(host: SshHost, stack: Stack) -> None:
    host.listen()
    program = """
        remote.Command("one", connection=connection, triggers=[{trigger}],
                       create="echo create-{trigger} >> log", update="echo update >> log",
                       delete="echo delete-{trigger} >> log")
    """
    stack.program(program.format(trigger=1))
    stack.up()
    stack.program(program.format(trigger=2))
    stack.up()
    assert (host.disk / "log").read_text().split() == ["create-1", "create-2", "delete-1"]


def test_destroy_runs_delete_and_without_a_delete_text_connects_nowhere(host: SshHost, stack: Stack) -> None:
    host.listen()
    stack.program("""
        remote.Command("with", connection=connection, create="true", delete="echo gone > gone")
        remote.Command("without", connection=connection, create="true")
    """)
    stack.up()
    assert host.logins == 2
    stack.destroy()
    assert (host.disk / "gone").read_text() == "gone\n"
    assert host.logins == 3


def test_update_and_delete_get_the_previous_output(host: SshHost, stack: Stack) -> None:
    host.listen()
    program = """
        remote.Command("one", connection=connection, create="echo first",
                       update='echo "after $PULUMI_COMMAND_STDOUT"', stdin="{stdin}",
                       delete='echo "$PULUMI_COMMAND_STDOUT" > last')
    """
    stack.program(program.format(stdin=1))
    stack.up()
    stack.program(program.format(stdin=2))
    stack.up()
    assert stack.resource("one")["outputs"]["stdout"] == "after first"
    stack.destroy()
    assert (host.disk / "last").read_text() == "after first\n"


def test_refused_environment_fails_the_command_before_it_runs_and_refused_previous_output_only_warns(
    host: SshHost, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.listen()
    program = """
        remote.Command("one", connection=connection, create="echo run >> log; echo out", stdin="{stdin}"{more})
    """
    stack.program(program.format(stdin=1, more=', environment={"COLOUR": "red"}, update="echo $COLOUR"'))
    stack.up()
    stack.program(program.format(stdin=2, more=', environment={"COLOUR": "red"}, update="echo $COLOUR"'))
    stack.up()
    assert stack.resource("one")["outputs"]["stdout"] == "red"

    monkeypatch.setattr(asyncssh.channel.SSHServerChannel, "_process_env_request", lambda channel, packet: False)
    stack.program(program.format(stdin=3, more=', environment={"COLOUR": "red"}'))
    with pytest.raises(PulumiError, match='could not set environment variable "COLOUR"'):
        stack.up()
    assert (host.disk / "log").read_text() == "run\n"
    stack.program(program.format(stdin=4, more=""))
    assert any("PULUMI_COMMAND_STDOUT" in message for message in stack.up().messages)
    assert (host.disk / "log").read_text() == "run\nrun\n"


def test_commands_without_dependencies_run_side_by_side(host: SshHost, stack: Stack) -> None:
    host.listen()
    # Each waits for all the others: one after the other they would never end.
    stack.program("""
        for number in range(6):
            remote.Command(f"number-{number}", connection=connection,
                           create=f"touch {number}; until [ $(ls | wc -l) -ge 6 ]; do sleep 0.1; done")
    """)
    stack.up()


def test_line_longer_than_64_kib_does_not_hang(host: SshHost, stack: Stack) -> None:
    host.listen()
    stack.program("""
        long_line = "head -c 70000 /dev/zero | tr '\\\\0' x; echo; echo end"
        one = remote.Command("one", connection=connection, create=long_line)
        pulumi.export("length", one.stdout.apply(len))
    """)
    started = time.monotonic()
    outcome = stack.up()
    assert outcome.outputs["length"] == 70_000 + len("\nend")
    assert time.monotonic() - started < 60
