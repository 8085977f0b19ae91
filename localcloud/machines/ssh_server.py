"""The SSH server of a machine, as Ubuntu sets it up: user `ubuntu`, public keys only."""

import asyncio
import logging
import os
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any, cast

import asyncssh
from asyncssh.channel import SSHChannel
from asyncssh.packet import SSHPacket

from localcloud.machines import ssh_session
from localcloud.machines.disk import Disk
from localcloud.machines.environment import USER
from localcloud.machines.ssh_faults import Drop, NoSshFaults, OutputLimit, SshFaults

PORT = 2222

_WINDOW = 2 * 1024 * 1024
_MAX_PACKET = 32 * 1024
_OWN_NAMES = {"localhost", "127.0.0.1", "::1", "0.0.0.0", "ip6-localhost"}  # noqa: S104 - a destination, not bound

# Logins and lost connections are a machine's business, not news for who runs the local cloud.
logging.getLogger("asyncssh").setLevel(logging.WARNING)


class SshServer:
    """A listening server and the connections it has accepted."""

    def __init__(self, disk: Disk, ip: str, faults: SshFaults | None = None) -> None:
        self.disk = disk
        self.ip = ip
        self.faults = faults or NoSshFaults()
        self.environment = disk.environment()
        self.entry = disk.entry()
        self.connections: set[asyncssh.SSHServerConnection] = set()
        self.sessions: set[asyncio.Future[None]] = set()
        self._listener: asyncssh.SSHAcceptor | None = None
        self._deafness: asyncio.Task[None] | None = None

    async def listen(self) -> None:
        """Accept connections on (ip, PORT). Raises OSError when something else listens there."""
        self._listener = await asyncssh.listen(
            self.ip,
            PORT,
            server_factory=lambda: _Connection(self),
            server_host_keys=[self.disk.host_key()],
            password_auth=False,
            kbdint_auth=False,
            host_based_auth=False,
            gss_host=None,
            x11_forwarding=False,
            agent_forwarding=False,
            line_editor=False,
            encoding=None,
        )

    async def close(self) -> None:
        """Stop listening, drop every connection and hang up on what runs in its sessions."""
        if self._deafness is not None:
            self._deafness.cancel()
            await asyncio.gather(self._deafness, return_exceptions=True)
        if self._listener is not None:
            self._listener.close()
        connections = list(self.connections)
        for connection in connections:
            connection.abort()
        await asyncio.gather(*(connection.wait_closed() for connection in connections), return_exceptions=True)
        await asyncio.gather(*self.sessions, return_exceptions=True)
        if self._listener is not None:
            await self._listener.wait_closed()
        self._listener = None

    def go_deaf(self, seconds: float) -> None:
        """Refuse connections for a while; those that there are go on."""
        if seconds and self._deafness is None:
            self._deafness = asyncio.ensure_future(self._be_deaf(seconds))

    async def _be_deaf(self, seconds: float) -> None:
        if self._listener is not None:
            self._listener.close()
            await self._listener.wait_closed()
            self._listener = None
        await asyncio.sleep(seconds)
        await self.listen()
        self._deafness = None


class _Connection(asyncssh.SSHServer):
    """Decides what one client may do."""

    _connection: asyncssh.SSHServerConnection

    def __init__(self, server: SshServer) -> None:
        self._server = server

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._server.connections.add(conn)
        refused_for = self._server.faults.refuse(self._server.disk.instance_id)
        if refused_for is not None:
            conn.abort()
            self._server.go_deaf(refused_for)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.connections.discard(self._connection)

    def begin_auth(self, username: str) -> bool:
        self._connection.set_authorized_keys(self._read_authorized_keys(username))
        return True

    def session_requested(self) -> tuple["_SessionChannel", ssh_session.Session]:
        # The default channel, but for the environment requests.
        channel = _SessionChannel(
            self._connection,
            asyncio.get_running_loop(),
            allow_pty=True,
            line_editor=False,
            line_echo=False,
            line_history=0,
            max_line_length=0,
            encoding=None,
            errors="strict",
            window=_WINDOW,
            max_pktsize=_MAX_PACKET,
        )
        return channel, ssh_session.Session(self._run_session, self._open_sftp)

    def connection_requested(
        self, dest_host: str, dest_port: int, orig_host: str, orig_port: int
    ) -> Coroutine[Any, Any, asyncssh.SSHTCPSession[bytes]]:
        """Tunnels: what a client calls localhost is this machine, not the whole host's loopback."""
        host = self._server.ip if dest_host in _OWN_NAMES else dest_host
        forwarding = self._connection.forward_connection(host, dest_port)
        # asyncssh's own annotation: it takes the forwarder for a session, too.
        return cast(Coroutine[Any, Any, asyncssh.SSHTCPSession[bytes]], forwarding)

    async def _run_session(self, session: ssh_session.Session) -> None:
        server = self._server
        environment = {**server.environment, **_addresses(self._connection)}
        running = asyncio.ensure_future(ssh_session.serve(session, server.disk.home, environment, server.entry))
        self._server.sessions.add(running)
        self._lose(session, self._server.faults.drop(self._server.disk.instance_id))
        running.add_done_callback(self._server.sessions.discard)
        await running

    def _lose(self, session: ssh_session.Session, drop: Drop | None) -> None:
        """Let the connection go in the middle of the session, as the fault says."""
        if drop is None:
            return
        if drop.after_bytes is not None:
            session.limit = OutputLimit(drop.after_bytes, self._connection.abort)
        if drop.seconds is not None:
            asyncio.get_running_loop().call_later(drop.seconds, self._connection.abort)

    def _open_sftp(self, channel: SSHChannel[bytes]) -> "_Sftp":
        disk = self._server.disk
        return _Sftp(cast("asyncssh.SSHServerChannel[bytes]", channel), disk.home, disk.mounted())

    def _read_authorized_keys(self, username: str) -> asyncssh.SSHAuthorizedKeys:
        nobody = asyncssh.SSHAuthorizedKeys()
        if username != USER:
            return nobody
        try:
            return asyncssh.import_authorized_keys(self._server.disk.authorized_keys.read_text())
        except (OSError, ValueError):
            return nobody


def _addresses(connection: asyncssh.SSHServerConnection) -> dict[str, str]:
    """Who talks to whom, as sshd(8) tells it to every session."""
    client, server = connection.get_extra_info("peername")[:2], connection.get_extra_info("sockname")[:2]
    return {
        "SSH_CLIENT": f"{client[0]} {client[1]} {server[1]}",
        "SSH_CONNECTION": f"{client[0]} {client[1]} {server[0]} {server[1]}",
    }


class _SessionChannel(asyncssh.SSHServerChannel[bytes]):
    """A session channel that takes LANG and LC_* from the client and refuses any other variable.

    That is Ubuntu's `AcceptEnv LANG LC_*` (sshd_config of its openssh-server package).
    """

    def _process_env_request(self, packet: SSHPacket) -> bool:
        name = packet.get_string()
        value = packet.get_string()
        packet.check_end()
        if name != b"LANG" and not name.startswith(b"LC_"):
            return False
        self._env[name] = value
        return True


class _Sftp(asyncssh.SFTPServer):
    """Files as they are on the machine, where relative paths start at the home."""

    def __init__(self, channel: asyncssh.SSHServerChannel[bytes], home: Path, mounted: Mapping[str, str]) -> None:
        super().__init__(channel)
        self._home = os.fsencode(home)
        self._mounted = {os.fsencode(point): os.fsencode(folder) for point, folder in mounted.items()}

    def map_path(self, path: bytes) -> bytes:
        path = os.path.normpath(os.path.join(self._home, path))  # noqa: PTH118 - pathlib knows no bytes
        for point in sorted(self._mounted, key=len, reverse=True):
            if path == point or path.startswith(point + b"/"):
                return self._mounted[point] + path[len(point) :]
        return path
