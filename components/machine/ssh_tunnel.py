"""A port of a machine brought to this computer through SSH, as the `tunnel` output does it: for the program and `ops`.

asyncssh does it, in a thread of this process. So a tunnel ends with its process, however that ends, and no key lies on
the disk. Nothing that the user has set up for other hosts has a say, as in `ssh_words`.
"""

import asyncio
import errno
import os
import socket
import threading
from concurrent.futures import Future
from contextlib import closing, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import asyncssh

USER = "ubuntu"
LOOPBACK = "127.0.0.1"

CONNECT_S = 15.0
"""For the TCP connection: a closed firewall drops it without a word."""
LOGIN_S = 40.0
"""From there until the machine has let us in; one that has just booted is busy."""
ALIVE_S = 10
ALIVE_TRIES = 3
"""A connection that was cut is noticed within half a minute."""
OTHER_HOST_KEYS = ("ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512")
"""What another machine may have, to be told as one: Debian's and Ubuntu's `sshd` make one of each."""
PIECE = 1 << 16
"""Bytes that are passed on at a time."""


class TunnelError(Exception):
    """The tunnel did not open; the text is one line, in OpenSSH's words where it has some."""


class LocalPortError(TunnelError):
    """The port of this computer cannot be had."""


@dataclass(frozen=True)
class Login:
    """How to log in, and how the machine shows that it is the one."""

    ip: str
    port: int
    private_key: str = field(repr=False)
    """OpenSSH's PEM."""
    public_host_key: str
    """OpenSSH's one-line form."""


class Tunnel:
    """A tunnel until it is cut or closed; as a context, until the context ends."""

    port: int
    """On 127.0.0.1 of this computer."""

    def __init__(self, login: Login, remote_port: int, local_port: int, connection: socket.socket) -> None:
        """Not open yet. The TCP connection is the tunnel's from now on."""
        self._login, self._remote_port, self._local_port = login, remote_port, local_port
        self._connection = connection
        self._opened: Future[int] = Future()
        self._loop = asyncio.new_event_loop()
        self._closing = asyncio.Event()
        self._bridges: set[asyncio.Task[None]] = set()
        # A daemon: a process that ends without closing it does not wait for it.
        self._thread = threading.Thread(target=self._run, name=f"tunnel to {login.ip}", daemon=True)

    def open(self) -> None:
        """Log in and listen; asyncssh's errors and those of the network are passed on."""
        self._thread.start()
        try:
            self.port = self._opened.result()
        except BaseException:
            self.close()
            raise

    def wait(self) -> None:
        """Until it is cut."""
        self._thread.join()

    def close(self) -> None:
        """End it, whatever still goes through it."""
        # RuntimeError: it was cut, and its loop is closed.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self) -> None:
        # In the end the runner cancels what is left, and waits for it.
        with self._connection, asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._until_closed())

    async def _until_closed(self) -> None:
        forwarding = asyncio.create_task(self._forward())
        closing = asyncio.create_task(self._closing.wait())
        await asyncio.wait({forwarding, closing}, return_when=asyncio.FIRST_COMPLETED)

    async def _forward(self) -> None:
        try:
            connection = await _logged_in(self._login, self._connection)
            try:
                with closing(await self._listen(connection)) as server:
                    self._opened.set_result(server.sockets[0].getsockname()[1])
                    await connection.wait_closed()
            finally:
                connection.abort()
                await connection.wait_closed()
        except BaseException as error:
            # Whatever it is, `open` waits for it.
            if self._opened.done():
                raise
            self._opened.set_exception(error)

    async def _listen(self, connection: "asyncssh.SSHClientConnection") -> asyncio.Server:
        # No coroutine, whose task asyncio would own: Python 3.11 prints a traceback when such a task is cancelled.
        def bridge(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(_bridge(connection, self._remote_port, reader, writer))
            self._bridges.add(task)
            task.add_done_callback(self._bridges.discard)

        try:
            return await asyncio.start_server(bridge, LOOPBACK, self._local_port)
        except OSError as error:
            why = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be had ({os.strerror(error.errno or 0)})"
            raise LocalPortError(f"port {self._local_port} of this computer {why}") from None


async def _bridge(
    connection: "asyncssh.SSHClientConnection", port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Pass on what either side says until both have said all, or one is gone.

    Not asyncssh's own `forward_local_port`: where that ends under a client that reads slowly, the client is left with
    a connection in which nothing will ever come.
    """
    import asyncssh

    try:
        there_reader, there_writer = await connection.open_connection("localhost", port)
        try:
            async with asyncio.TaskGroup() as directions:
                directions.create_task(_pass_on(reader, there_writer))
                directions.create_task(_pass_on(there_reader, writer))
            for side in (writer, there_writer):
                side.close()
                await side.wait_closed()
        finally:
            there_writer.channel.abort()
    except* (OSError, asyncssh.Error):
        # Gone, or nobody listens there: the other side is told by the end of its connection.
        pass
    finally:
        writer.transport.abort()


async def _pass_on(
    reader: "asyncio.StreamReader | asyncssh.SSHReader[bytes]",
    writer: "asyncio.StreamWriter | asyncssh.SSHWriter[bytes]",
) -> None:
    while piece := await reader.read(PIECE):
        writer.write(piece)
        await writer.drain()
    writer.write_eof()


def open_tunnel(login: Login, port: int, local_port: int = 0) -> Tunnel:
    """A tunnel from `local_port` of 127.0.0.1, one that is free when it is 0, to `port` of the machine's localhost.

    Raises:
        LocalPortError: `local_port` is taken, or only for the superuser.
        TunnelError: the machine cannot be reached, is another one, or does not let us in.
    """
    # Not before: it takes a fifth of a second.
    import asyncssh

    tunnel = Tunnel(login, port, local_port, _connected(login))
    try:
        tunnel.open()
    except (asyncssh.Error, asyncssh.KeyImportError, OSError) as error:
        raise TunnelError(_reason(error, login)) from None
    return tunnel


def _connected(login: Login) -> socket.socket:
    try:
        return socket.create_connection((login.ip, login.port), CONNECT_S)
    except OSError as error:
        why = error.strerror or os.strerror(errno.ETIMEDOUT)
        raise TunnelError(f"ssh: connect to host {login.ip} port {login.port}: {why}") from None


async def _logged_in(login: Login, connection: socket.socket) -> "asyncssh.SSHClientConnection":
    import asyncssh

    return await asyncssh.connect(
        login.ip,
        login.port,
        sock=connection,
        username=USER,
        client_keys=[asyncssh.import_private_key(login.private_key)],
        known_hosts=([asyncssh.import_public_key(login.public_host_key)], [], []),
        # Asked for this kind alone, a server without it would hang up, as any does for all sorts of reasons.
        server_host_key_algs=[login.public_host_key.split()[0], *OTHER_HOST_KEYS],
        preferred_auth="publickey",
        agent_path=None,
        config=None,
        gss_host=None,
        connect_timeout=LOGIN_S,
        keepalive_interval=ALIVE_S,
        keepalive_count_max=ALIVE_TRIES,
    )


def _reason(error: Exception, login: Login) -> str:
    """One line, in OpenSSH's words, which are looked for when they are unknown."""
    import asyncssh

    said = (str(error).splitlines() or [""])[0][:200] or type(error).__name__
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return "Host key verification failed"
    if isinstance(error, asyncssh.PermissionDenied):
        return f"{USER}@{login.ip}: Permission denied (publickey)"
    if isinstance(error, TimeoutError):
        return f"Connection to {login.ip} port {login.port} timed out"
    if isinstance(error, OSError | asyncssh.ConnectionLost):
        return f"Connection closed by {login.ip} port {login.port}: {said}"
    return said
