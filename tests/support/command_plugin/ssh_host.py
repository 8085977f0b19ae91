"""A host for remote commands: an asyncssh server in a thread, whose disk is a directory."""

import asyncio
import contextlib
import os
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import asyncssh

PORT = 2222
BLOCK_BYTES = 32 * 1024


class SshHost:
    """Runs commands with `sh -c` in `disk`, serves SFTP with `disk` as the root, and counts the logins it sees."""

    def __init__(self, address: str, disk: Path, authorized_key: asyncssh.SSHKey) -> None:
        self.address = address
        self.disk = disk
        self.logins = 0
        self._host_key = asyncssh.generate_private_key("ssh-ed25519")
        self._authorized_keys = asyncssh.import_authorized_keys(authorized_key.export_public_key().decode())
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"ssh host {address}")
        self._thread.start()
        self._server: asyncssh.SSHAcceptor | None = None

    @property
    def host_key(self) -> str:
        return self._host_key.export_public_key().decode().strip()

    def listen(self) -> None:
        self._call(self._listen())

    def close(self) -> None:
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=30)

    async def _listen(self) -> None:
        self._server = await asyncssh.listen(
            self.address,
            PORT,
            server_factory=lambda: _Login(self),
            server_host_keys=[self._host_key],
            authorized_client_keys=self._authorized_keys,
            process_factory=self._run,
            sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=str(self.disk).encode()),
            encoding=None,
        )

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _run(self, process: "asyncssh.SSHServerProcess[bytes]") -> None:
        shell = await asyncio.create_subprocess_shell(
            process.command or "",
            cwd=self.disk,
            env={**os.environ, **process.env},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert shell.stdin and shell.stdout and shell.stderr
        feeding = asyncio.create_task(_feed(process.stdin, shell.stdin))
        await asyncio.gather(_show(shell.stdout, process.stdout), _show(shell.stderr, process.stderr))
        process.exit(await shell.wait())
        feeding.cancel()


async def _feed(source: "asyncssh.SSHReader[bytes]", stdin: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await source.read(BLOCK_BYTES):
            stdin.write(data)
            await stdin.drain()
    stdin.close()


async def _show(output: asyncio.StreamReader, target: "asyncssh.SSHWriter[bytes]") -> None:
    while data := await output.read(BLOCK_BYTES):
        target.write(data)
        await target.drain()


class _Login(asyncssh.SSHServer):
    def __init__(self, host: SshHost) -> None:
        self._host = host

    def auth_completed(self) -> None:
        self._host.logins += 1
