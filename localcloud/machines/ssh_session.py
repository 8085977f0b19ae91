"""One SSH session: a process on the machine, joined to the channel by pipes or by a terminal."""

import asyncio
import os
import signal
import termios
from asyncio.subprocess import Process
from collections.abc import Callable, Coroutine, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import asyncssh
from asyncssh.channel import SSHChannel

from localcloud.machines.ssh_faults import OutputLimit

_SHELL = "/bin/bash"
_SFTP_VERSION = 3
_CHUNK = 64 * 1024
_UMASK = 0o002
"""Ubuntu's for a user with a group of its own (pam_umask and USERGROUPS_ENAB of login.defs)."""
_LAST_OUTPUT = 1.0
"""Seconds for what is still on the way from a terminal when its process has ended."""
_END_OF_FILE_KEY = b"\x04"
_GONE = (OSError, asyncssh.Error)
_OPEN_TERMINAL = 'terminal=$1; shift; exec "$@" <"$terminal" >"$terminal" 2>&1'


@dataclass
class Child:
    """A started process and the ends of it that the session holds."""

    process: Process
    stdin: asyncio.StreamWriter
    outputs: list[asyncio.StreamReader]
    """Standard output and standard error; on a terminal both are one."""
    terminal: int | None = None
    """The controlling side of the terminal, when there is one."""

    def signal(self, number: int) -> None:
        """Signal the session's foreground processes."""
        if self.process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)

    def resize(self, columns: int, rows: int) -> None:
        """Tell the terminal its size; 0 means that the client does not know."""
        if self.terminal is not None and columns and rows:
            termios.tcsetwinsize(self.terminal, (rows, columns))


class Session(asyncssh.SSHServerProcess[bytes]):
    """The channel's side of a session. It passes on what may come at any time, also after the end of the input."""

    def __init__(
        self,
        run: Callable[["Session"], Coroutine[Any, Any, None]],
        open_sftp: Callable[[SSHChannel[bytes]], asyncssh.SFTPServer],
    ) -> None:
        super().__init__(lambda _: run(self), open_sftp, _SFTP_VERSION, allow_scp=False)
        self.child: Child | None = None
        self.limit = OutputLimit()

    def signal_received(self, signal: str) -> None:
        if self.child is not None:
            self.child.signal(_number(signal))

    def terminal_size_changed(self, width: int, height: int, pixwidth: int, pixheight: int) -> None:
        if self.child is not None:
            self.child.resize(width, height)


async def serve(session: Session, home: Path, environment: dict[str, str], entry: Sequence[str]) -> None:
    """Run what the client asked for until it ends; when the client goes first, hang up on it.

    `entry` comes before the command line and makes it one of the machine.

    As with OpenSSH, the session lasts as long as somebody holds its output open, and a process that has left the
    process group (setsid) or ignores SIGHUP (nohup) outlives it.
    """
    if session.subsystem is not None:
        session.stderr.write(b"this machine has no subsystem but sftp\n")
        session.exit(1)
        return
    shell = [_SHELL, "-l"] if session.command is None else [_SHELL, "-c", session.command]
    environment = {**environment, **session.env}
    # Letting go of all ends also hangs up a terminal.
    with ExitStack() as held:
        try:
            child = await _start(session, [*entry, *shell], home, environment, held)
        except OSError as error:
            session.stderr.write(f"cannot start {_SHELL} in {home}: {error.strerror}\n".encode())
            session.exit(255)
            return
        session.child = child
        await _accompany(session, child)


async def _accompany(session: Session, child: Child) -> None:
    """Stay until the process has ended and its output is told, or the client has gone."""
    feeding = asyncio.ensure_future(_feed(session, child))
    working = asyncio.ensure_future(_follow(session, child))
    leaving = asyncio.ensure_future(session.wait_closed())
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        child.signal(signal.SIGHUP)
        for task in (feeding, working, leaving):
            task.cancel()
        await asyncio.gather(feeding, working, leaving, return_exceptions=True)


async def _start(
    session: Session,
    command: Sequence[str],
    home: Path,
    environment: dict[str, str],
    held: ExitStack,
) -> Child:
    if session.term_type is None:
        return await _start_on_pipes(command, home, environment, held)
    child = await _start_on_terminal(command, home, {**environment, "TERM": session.term_type}, held)
    columns, rows, _, _ = session.term_size
    child.resize(columns, rows)
    return child


async def _start_on_pipes(command: Sequence[str], home: Path, environment: dict[str, str], held: ExitStack) -> Child:
    # Pipes as sshd's. asyncio's own stdin may be a socket pair, and a socket cannot be opened again as /dev/stdin.
    stdin, write_end = _pipe()
    writer = await _writer(write_end, held)
    read_end, stdout = _pipe()
    outputs = [await _reader(read_end, held)]
    read_end, stderr = _pipe()
    outputs.append(await _reader(read_end, held))
    with stdin, stdout, stderr:
        process = await _spawn(command, home, environment, stdin, stdout, stderr)
    return Child(process, writer, outputs)


async def _start_on_terminal(command: Sequence[str], home: Path, environment: dict[str, str], held: ExitStack) -> Child:
    terminal, far_side = os.openpty()
    held.callback(os.close, terminal)
    with os.fdopen(far_side, "r+b", 0) as device:
        writer = await _writer(os.fdopen(os.dup(terminal), "wb", 0), held)
        reader = await _reader(os.fdopen(os.dup(terminal), "rb", 0), held)
        # A session leader that opens a terminal gets it as its controlling terminal (tty_ioctl(4), TIOCSCTTY).
        opening = ["/bin/sh", "-c", _OPEN_TERMINAL, "sh", os.ttyname(far_side), *command]
        environment = {**environment, "SSH_TTY": os.ttyname(far_side)}
        process = await _spawn(opening, home, environment, device, device, device)
    return Child(process, writer, [reader], terminal)


async def _spawn(
    command: Sequence[str],
    home: Path,
    environment: dict[str, str],
    stdin: BinaryIO,
    stdout: BinaryIO,
    stderr: BinaryIO,
) -> Process:
    return await asyncio.create_subprocess_exec(
        *command,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        cwd=home,
        env=environment,
        start_new_session=True,
        umask=_UMASK,
    )


def _pipe() -> tuple[BinaryIO, BinaryIO]:
    read_end, write_end = os.pipe()
    return os.fdopen(read_end, "rb", 0), os.fdopen(write_end, "wb", 0)


async def _writer(stream: BinaryIO, held: ExitStack) -> asyncio.StreamWriter:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, stream)
    held.callback(_abandon, transport)
    return asyncio.StreamWriter(transport, protocol, None, loop)


def _abandon(transport: asyncio.WriteTransport) -> None:
    if not transport.is_closing():
        transport.abort()


async def _reader(stream: BinaryIO, held: ExitStack) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), stream
    )
    held.callback(transport.close)
    return reader


async def _feed(session: Session, child: Child) -> None:
    """Carry the client's input to the process."""
    while data := await session.stdin.read(_CHUNK):
        # What a process that has closed its input does not read is lost, as in a pipe.
        if not child.stdin.is_closing():
            with suppress(*_GONE):
                child.stdin.write(data)
                await child.stdin.drain()
    if child.terminal is None:
        child.stdin.close()
    else:
        child.stdin.write(_END_OF_FILE_KEY)


async def _follow(session: Session, child: Child) -> None:
    """Carry the output to the client to its end, then the way the process ended."""
    targets = (session.stdout, session.stderr)
    ends = zip(child.outputs, targets, strict=False)
    pumps = [asyncio.ensure_future(_pump(session, source, target)) for source, target in ends]
    try:
        status = await child.process.wait()
        # What a shell leaves behind on its terminal does not hold the session.
        await asyncio.wait(pumps, timeout=None if child.terminal is None else _LAST_OUTPUT)
    finally:
        for pump in pumps:
            pump.cancel()
    if status < 0:
        session.exit_with_signal(signal.Signals(-status).name.removeprefix("SIG"))
    else:
        session.exit(status)


async def _pump(session: Session, source: asyncio.StreamReader, target: asyncssh.SSHWriter[bytes]) -> None:
    # A terminal that nobody holds any more reads as an error (EIO), not as an end.
    with suppress(*_GONE):
        while data := await source.read(_CHUNK):
            target.write(session.limit.cut(data))
            await target.drain()
            session.limit.end_if_reached()


def _number(name: str) -> signal.Signals:
    """The number of a signal that SSH names without SIG (RFC 4254, section 6.10)."""
    try:
        return signal.Signals[f"SIG{name}"]
    except KeyError:
        return signal.SIGTERM
