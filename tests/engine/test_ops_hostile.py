"""`python -m ops` at a terminal that is not UTF-8, with a HOME of no use, and with readers that go away."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from tests.support.ops_served import ANSWER, LOG, line_with, run, served
from tests.support.ops_stack import OpsStack, left_in_temporary_folder, project_without_stack
from tests.support.ops_terminal import SECONDS, chat_at_terminal
from tests.support.polling import until_async


def test_a_tunnel_needs_no_home_that_can_be_written(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with served(tmp_path) as way:
            (tmp_path / "file").touch()
            del way.stack.environment["XDG_CACHE_HOME"]
            tunnel = await way.stack.start("tunnel", HOME=str(tmp_path / "file"))
            said = await line_with(tunnel.stderr, "the CA is there only while the tunnel is open")
            assert "Not a directory" in said
            exports = [await line_with(tunnel.stdout, "export") for _ in range(3)]
            certificate = Path(exports[-1].removeprefix("export SSL_CERT_FILE=").strip())
            assert certificate.read_text() == way.server.ca
            tunnel.send_signal(signal.SIGINT)
            assert await asyncio.wait_for(tunnel.wait(), SECONDS) == 0
            assert left_in_temporary_folder(way.stack) == []

    run(scenario())


def test_a_line_of_a_terminal_that_is_not_utf_8_is_told_and_the_next_one_is_answered(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with served(tmp_path) as way:
            async with chat_at_terminal(way.stack, LC_ALL="C.UTF-8") as screen:
                # GNU readline leaves out a byte that could begin a letter and does not, so there are two of them.
                screen.types(b"d\xe9j\xe0 vu\n")
                await screen.shows("the text is not UTF-8 at letter ")
                await screen.shows("so nothing was sent")
                screen.types(b"coffee\n")
                await screen.shows(ANSWER)
            assert [body["messages"][-1]["content"] for body in way.server.bodies] == ["coffee"]

    run(scenario())


def test_what_is_piped_in_and_what_is_given_as_a_word_is_told_as_not_utf_8(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with served(tmp_path, closed=False) as way:
            piped = await way.stack.start("chat")
            output, errors = await asyncio.wait_for(piped.communicate(b"caf\xe9"), SECONDS)
            assert (piped.returncode, output, errors.count(b"\n")) == (1, b"", 1)
            assert b"not UTF-8 at letter 4" in errors
            done = await way.stack.ops("chat", "--prompt", os.fsdecode(b"caf\xe9"))
            assert (done.status, done.output, done.errors.count("\n")) == (1, "", 1)
            assert way.server.bodies == []

    run(scenario())


@pytest.mark.parametrize("words", [("logs", "-n", "100000"), ("logs", "-f", "-n", "100000"), ("status", "--json")])
def test_a_reader_that_goes_ends_the_command_quietly(tmp_path: Path, words: tuple[str, ...]) -> None:
    async def scenario() -> None:
        async with served(tmp_path, closed=False) as way:
            folder = way.machine.home / LOG
            folder.mkdir(parents=True)
            (folder / "vllm.log").write_text("a line of the log\n" * 100_000)
            reading, writing = os.pipe()
            command = await asyncio.create_subprocess_exec(
                *way.stack.command, *words, "--project", str(way.stack.folder),
                env=way.stack.environment, stdin=asyncio.subprocess.DEVNULL, stdout=writing,
                stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
            way.stack.started.append(command)
            os.close(writing)
            if words[0] == "logs":
                await asyncio.to_thread(os.read, reading, 10)
            os.close(reading)
            _, errors = await asyncio.wait_for(command.communicate(), SECONDS)
            assert (command.returncode, errors) == (128 + signal.SIGPIPE, b"")
            assert left_in_temporary_folder(way.stack) == []

    run(scenario())


def slow_pulumi(stack: OpsStack, folder: Path) -> Path:
    """A CLI that says that it is there and then nothing; the file by which it says so."""
    (folder / "bin").mkdir()
    program, started = folder / "bin/pulumi", folder / "started"
    program.write_text(f"#!/bin/sh\ntouch {started}\nexec sleep 600\n")
    program.chmod(0o755)
    stack.environment["PATH"] = f"{folder / 'bin'}{os.pathsep}{stack.environment['PATH']}"
    return started


@pytest.mark.parametrize("command", ["chat", "status", "logs", "tunnel", "ssh"])
def test_ctrl_c_while_the_state_is_being_read_ends_a_command_without_a_word(tmp_path: Path, command: str) -> None:
    async def scenario() -> None:
        stack = project_without_stack(tmp_path)
        started = slow_pulumi(stack, tmp_path)
        process = await stack.start(command)
        await until_async(started.exists, SECONDS)
        process.send_signal(signal.SIGINT)
        output, errors = await asyncio.wait_for(process.communicate(), SECONDS)
        assert (process.returncode, output, errors) == (130, b"", b"")

    run(scenario())
