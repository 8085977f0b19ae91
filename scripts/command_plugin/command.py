"""Running one command on a host."""

import asyncio
import contextlib
import json
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import asyncssh
from asyncssh.packet import SSHPacket, String

from .errors import RemoteError


@dataclass(frozen=True)
class RemoteCommand:
    """A command line for the login shell, and what it is given."""

    text: str
    stdin: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    """Must be accepted by the SSH server (`AcceptEnv`), or the command is not run."""
    previous_output: dict[str, str] = field(default_factory=dict)
    """Variables that the server may refuse."""


@dataclass(frozen=True)
class CommandResult:
    stdout: str
    stderr: str
    refused_variables: list[str]
    """The names in `previous_output` that the server did not take."""


class CommandChannel(asyncssh.SSHClientChannel[bytes]):
    """A session channel that sets variables one by one and listens to the answer.

    asyncssh 2.24 itself asks for no answer to its `env` requests, so that a refused variable would go unnoticed.
    """

    def __init__(self, connection: asyncssh.SSHClientConnection, command: RemoteCommand) -> None:
        window_bytes, packet_bytes = 2 * 1024 * 1024, 32 * 1024
        loop = asyncio.get_running_loop()
        super().__init__(connection, loop, "strict", None, "strict", window_bytes, packet_bytes)
        self._remote_command = command
        self.refused_variables: list[str] = []

    async def start(self, session: "OutputSession") -> None:
        """Run the command; the session then receives its output."""
        await self.create(
            lambda: session,
            self._remote_command.text,
            subsystem=None,
            env={},
            request_pty=False,
            term_type=None,
            term_size=(0, 0),
            term_modes={},
            x11_forwarding=False,
            x11_display=None,
            x11_auth_path=None,
            x11_single_connection=False,
            agent_forwarding=False,
        )

    async def _open(self, chantype: bytes, *args: bytes) -> SSHPacket:
        packet = await super()._open(chantype, *args)
        for name, value in self._remote_command.environment.items():
            if not await self._set_variable(name, value):
                self.close()
                raise RemoteError(
                    f'could not set environment variable "{name}": the SSH server refused it (AcceptEnv); '
                    f"write {name}=value before the command instead"
                )
        for name, value in self._remote_command.previous_output.items():
            if not await self._set_variable(name, value):
                self.refused_variables.append(name)
        return packet

    async def _set_variable(self, name: str, value: str) -> bool:
        return bool(await self._make_request(b"env", String(name), String(value)))


class OutputSession(asyncssh.SSHClientSession[bytes]):
    """Keeps what a command writes, each stream alone and both in the order of arrival."""

    def __init__(self, on_stdout: Callable[[bytes], None], on_stderr: Callable[[bytes], None]) -> None:
        self._on_stdout = on_stdout
        self._on_stderr = on_stderr
        self.stdout = bytearray()
        self.stderr = bytearray()
        self.both = bytearray()

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        self.both += data
        if datatype == asyncssh.EXTENDED_DATA_STDERR:
            self.stderr += data
            self._on_stderr(data)
        else:
            self.stdout += data
            self._on_stdout(data)


async def run(
    connection: asyncssh.SSHClientConnection,
    command: RemoteCommand,
    on_stdout: Callable[[bytes], None],
    on_stderr: Callable[[bytes], None],
) -> CommandResult:
    """Run the command to its end and hand over its output as it comes.

    One line end is cut off each output. Raises `RemoteError`, with the command's text and all of its output, when it
    does not end with status 0.
    """
    session = OutputSession(on_stdout, on_stderr)
    channel = CommandChannel(connection, command)
    try:
        await channel.start(session)
    except (OSError, asyncssh.Error) as error:
        raise RemoteError(failure_text(str(error), command.text, "")) from error
    # A command may have ended by now without having read its input.
    with contextlib.suppress(BrokenPipeError):
        channel.write(command.stdin.encode())
        channel.write_eof()
    await channel.wait_closed()

    problem = exit_problem(channel.get_exit_status(), channel.get_exit_signal())
    if problem:
        raise RemoteError(failure_text(problem, command.text, _text(session.both)))
    return CommandResult(
        _text(session.stdout).removesuffix("\n"), _text(session.stderr).removesuffix("\n"), channel.refused_variables
    )


def exit_problem(status: int | None, exit_signal: tuple[Any, ...] | None) -> str | None:
    """Why a command has not succeeded, in the words of Go's SSH library, which users of 1.2.1 know; None if it has."""
    if exit_signal is not None:
        name = exit_signal[0]
        number = getattr(signal, f"SIG{name}", 0)
        return f"Process exited with status {128 + number} from signal {name}"
    if status is None:
        return "wait: remote command exited without exit status or exit signal"
    return f"Process exited with status {status}" if status else None


def failure_text(problem: str, command: str, output: str) -> str:
    return f"{problem}: running {json.dumps(command, ensure_ascii=False)}:\n{output}"


def _text(data: bytearray) -> str:
    return data.decode(errors="replace")
