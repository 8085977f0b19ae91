"""Reaching a host over SSH, again and again until it answers."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import asyncssh

from .errors import RemoteError
from .inputs import Connection

# Back-off between two dials (pulumi-command 1.2.1 takes the defaults of the Go SDK's `retry` package).
FIRST_DELAY_SECONDS = 0.1
DELAY_FACTOR = 1.5
LONGEST_DELAY_SECONDS = 5.0

# The official plugin notices a dead host by Go's TCP keep-alive, which probes every 15 s.
KEEPALIVE_SECONDS = 15

Result = TypeVar("Result")


async def dial(connection: Connection, status: Callable[[str], Awaitable[None]]) -> asyncssh.SSHClientConnection:
    """An SSH connection, logged in. Every failure is retried, a refused key too, since a booting host has none yet.

    Raises `RemoteError` at once for a key that cannot be read, and when the failures exceed `dialErrorLimit`.
    """
    options = await _client_options(connection)
    limit = connection.dial_error_limit
    delay = FIRST_DELAY_SECONDS
    dials = 0
    while True:
        dials += 1
        try:
            return await asyncssh.connect(**options)
        except (OSError, asyncssh.Error) as error:
            if 0 <= limit < dials:
                host = f"{connection.user}@{connection.host}:{connection.port}"
                reason = str(error) or "no answer in time"
                raise RemoteError(f"after {limit} failed attempts: ssh {host}: {reason}") from error
        await status(f"Dial {dials}/{'inf' if limit < 0 else limit} failed: retrying")
        await asyncio.sleep(delay)
        delay = min(delay * DELAY_FACTOR, LONGEST_DELAY_SECONDS)


async def within(work: Coroutine[Any, Any, Result], cancelled: asyncio.Event, timeout_seconds: float | None) -> Result:
    """The work's result, or `RemoteError` once the operation is cancelled or its time is over."""
    working = asyncio.create_task(work)
    cancelling = asyncio.create_task(cancelled.wait())
    try:
        await asyncio.wait({working, cancelling}, timeout=timeout_seconds, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        if cancelling.done():
            raise RemoteError("cancelled before the host could be reached")
        raise RemoteError(f"the host could not be reached within the resource's timeout of {timeout_seconds:g} s")
    finally:
        working.cancel()
        cancelling.cancel()


async def _client_options(connection: Connection) -> dict[str, Any]:
    keys = [*_private_keys(connection), *await _agent_keys(connection)]
    return {
        "host": connection.host,
        "port": connection.port,
        "username": connection.user,
        "password": connection.password,
        # None switches public key login off; an empty list would mean the keys in ~/.ssh.
        "client_keys": keys or None,
        "agent_path": None,
        "known_hosts": _known_hosts(connection),
        "config": None,
        "gss_host": None,
        "connect_timeout": connection.per_dial_timeout or None,
        "keepalive_interval": KEEPALIVE_SECONDS,
    }


def _private_keys(connection: Connection) -> list[asyncssh.SSHKey]:
    if connection.private_key is None:
        return []
    try:
        return [asyncssh.import_private_key(connection.private_key, connection.private_key_password)]
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        raise RemoteError(f"connection.privateKey cannot be read: {error}") from error


async def _agent_keys(connection: Connection) -> list[asyncssh.SSHKeyPair]:
    path = connection.agent_socket_path or os.environ.get("SSH_AUTH_SOCK")
    if not path:
        return []
    try:
        agent = await asyncssh.connect_agent(path)
        return list(await agent.get_keys())
    except (OSError, ValueError) as error:
        if connection.agent_socket_path is None:
            return []
        raise RemoteError(f"connection.agentSocketPath {path}: no SSH agent answers there: {error}") from error


def _known_hosts(connection: Connection) -> tuple[list[asyncssh.SSHKey], list[str], list[str]] | None:
    """Trusted, certificate-signing and revoked keys in asyncssh's form; None is no check at all."""
    if connection.host_key is None:
        return None
    try:
        return [asyncssh.import_public_key(connection.host_key)], [], []
    except asyncssh.KeyImportError as error:
        raise RemoteError(f"connection.hostKey is not a line in authorized_keys form: {error}") from error
