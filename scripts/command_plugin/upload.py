"""Copying a file, a directory or a text to a host over SFTP.

Modes and owners are what the host gives to new files of the login user, and nothing is ever removed there.
"""

import posixpath
import stat
from enum import Enum
from pathlib import Path

import asyncssh

from .errors import RemoteError
from .inputs import CopyInputs, Source

BLOCK_BYTES = 1024 * 1024


class Remote(Enum):
    """What is at a path on the host."""

    MISSING = "missing"
    FILE = "file"
    DIRECTORY = "directory"


async def copy(client: asyncssh.SSHClientConnection, inputs: CopyInputs) -> None:
    """Copy what the inputs name over a connection; `RemoteError` when it fails."""
    try:
        async with client.start_sftp_client() as sftp:
            await upload(sftp, inputs.source, inputs.remote_path)
    except (OSError, asyncssh.Error) as error:
        raise RemoteError(f"copy to {inputs.remote_path} on {inputs.connection.host}: {error}") from error


async def upload(sftp: asyncssh.SFTPClient, source: Source, remote_path: str) -> None:
    """Copy the source to the remote path; only its last element is made when it is missing.

    Raises `RemoteError` naming the path that could not be read or written.
    """
    remote = await _look(sftp, remote_path)
    if source.path is None:
        await _write(sftp, text_target(remote_path, remote), (source.text or "").encode())
    elif Path(source.path).is_dir():
        for directory in directory_targets(source.path, remote_path, remote):
            await _make_directory(sftp, directory)
        await _copy_directory(sftp, Path(source.path), directory)
    else:
        await _copy_file(sftp, Path(source.path), file_target(source.path, remote_path, remote))


def text_target(remote_path: str, remote: Remote) -> str:
    """Where a text goes. It has no name of its own, so that a directory will not do."""
    if remote is Remote.DIRECTORY:
        raise RemoteError(
            f"remote path {remote_path} is a directory; when using a text asset, remotePath must be a file path"
        )
    return remote_path


def file_target(source_path: str, remote_path: str, remote: Remote) -> str:
    """Where a file goes: under its own name into an existing directory, else to the path itself."""
    return _join(remote_path, source_path) if remote is Remote.DIRECTORY else remote_path


def directory_targets(source_path: str, remote_path: str, remote: Remote) -> list[str]:
    """The directories that must be there, outermost first; the content goes into the last one.

    `dir` goes to `remote_path/dir`, existing or not; `dir/` puts its content into `remote_path` itself.
    """
    if remote is Remote.FILE:
        raise RemoteError(f"remote path {remote_path} exists but is not a directory")
    if source_path.endswith("/"):
        return [remote_path]
    return [remote_path, _join(remote_path, source_path)]


def _join(remote_path: str, source_path: str) -> str:
    return posixpath.normpath(posixpath.join(remote_path, posixpath.basename(posixpath.normpath(source_path))))


async def _look(sftp: asyncssh.SFTPClient, path: str) -> Remote:
    try:
        attributes = await sftp.stat(path)
    except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
        return Remote.MISSING
    except asyncssh.SFTPError as error:
        raise RemoteError(f"failed to stat remote path {path}: {error}") from error
    return Remote.DIRECTORY if stat.S_ISDIR(attributes.permissions or 0) else Remote.FILE


async def _make_directory(sftp: asyncssh.SFTPClient, path: str) -> None:
    remote = await _look(sftp, path)
    if remote is Remote.FILE:
        raise RemoteError(f"remote path {path} exists but is not a directory")
    if remote is Remote.MISSING:
        try:
            await sftp.mkdir(path)
        except asyncssh.SFTPError as error:
            raise RemoteError(f"failed to create remote directory {path}: {error}") from error


async def _copy_directory(sftp: asyncssh.SFTPClient, local: Path, remote_path: str) -> None:
    for entry in sorted(local.iterdir()):
        target = posixpath.join(remote_path, entry.name)
        if entry.is_dir() and not entry.is_symlink():
            await _make_directory(sftp, target)
            await _copy_directory(sftp, entry, target)
        else:
            await _copy_file(sftp, entry, target)


async def _copy_file(sftp: asyncssh.SFTPClient, local: Path, remote_path: str) -> None:
    try:
        with local.open("rb") as content:
            async with sftp.open(remote_path, "wb") as remote:
                while block := content.read(BLOCK_BYTES):
                    await remote.write(block)
    except (OSError, asyncssh.Error) as error:
        raise RemoteError(f"failed to copy file {local} to remote path {remote_path}: {error}") from error


async def _write(sftp: asyncssh.SFTPClient, remote_path: str, content: bytes) -> None:
    try:
        async with sftp.open(remote_path, "wb") as remote:
            await remote.write(content)
    except asyncssh.Error as error:
        raise RemoteError(f"failed to write text content to remote path {remote_path}: {error}") from error
