"""Read the user data of a launch as cloud-init would, as far as a machine without root can honour it.

Pure: text in, `UserData` out. Nothing is refused here, because cloud-init refuses nothing either: what it cannot use
becomes a line in its log and the boot goes on (cloud-init's documentation of user data formats and modules).
"""

import base64
import binascii
import posixpath
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import asyncssh
import yaml

HOME = PurePosixPath("/home/ubuntu")
"""The login user's home as the user data names it; a machine keeps it elsewhere on the host."""

DEFAULT_MODE = 0o644
_HONOURED = {"ssh_keys", "ssh_authorized_keys", "write_files", "runcmd"}
_PLAIN = {None, "", "text/plain"}
_BASE64 = {"b64", "base64"}


@dataclass(frozen=True)
class WrittenFile:
    """One entry of `write_files`."""

    path: PurePosixPath
    """Relative to the home."""
    content: bytes
    mode: int
    append: bool


@dataclass(frozen=True)
class UserData:
    """What first boot has to do."""

    host_key: str | None = None
    """Private Ed25519 host key, in OpenSSH's or PEM form."""
    authorized_keys: tuple[str, ...] = ()
    files: tuple[WrittenFile, ...] = ()
    script: str | None = None
    """A whole script with its `#!` line, to run once as the machine's user."""
    remarks: tuple[str, ...] = ()
    """Lines for cloud-init's log: one for each thing that is not honoured; no contents, they may be secret."""


def parse(user_data: str | None) -> UserData:
    """Read user data of any kind; `#cloud-config` and `#!` scripts are understood."""
    if not user_data or not user_data.strip():
        return UserData()
    first_line = user_data.splitlines()[0].rstrip()
    if first_line.startswith("#!"):
        return UserData(script=user_data)
    if first_line != "#cloud-config":
        return UserData(remarks=("not honoured: user data that starts with neither #cloud-config nor #!",))
    try:
        config = yaml.safe_load(user_data)
    except yaml.YAMLError as error:
        return UserData(remarks=(f"not honoured: user data is not valid YAML{_place(error)}",))
    if config is None:
        return UserData()
    if not isinstance(config, dict):
        return UserData(remarks=("not honoured: user data is not a YAML mapping",))
    return _read_config(config)


def _place(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""


def _read_config(config: dict[Any, Any]) -> UserData:
    remarks = [f"not honoured: {key}" for key in config if key not in _HONOURED]
    return UserData(
        host_key=_read_host_key(config.get("ssh_keys"), remarks),
        authorized_keys=tuple(_read_authorized_keys(config.get("ssh_authorized_keys"), remarks)),
        files=tuple(_read_files(config.get("write_files"), remarks)),
        script=_read_commands(config.get("runcmd"), remarks),
        remarks=tuple(remarks),
    )


def _read_host_key(ssh_keys: object, remarks: list[str]) -> str | None:
    if ssh_keys is None:
        return None
    if not isinstance(ssh_keys, dict):
        remarks.append("not honoured: ssh_keys is not a mapping")
        return None
    remarks.extend(f"not honoured: ssh_keys.{name}" for name in ssh_keys if not str(name).startswith("ed25519_"))
    private = ssh_keys.get("ed25519_private")
    if private is None:
        return None
    try:
        key = asyncssh.import_private_key(str(private))
        public = asyncssh.import_public_key(str(ssh_keys.get("ed25519_public") or key.export_public_key().decode()))
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError):
        remarks.append("not honoured: ssh_keys.ed25519_private and ed25519_public are not a pair of OpenSSH keys")
        return None
    if key.get_algorithm() != "ssh-ed25519" or public.public_data != key.public_data:
        remarks.append("not honoured: ssh_keys.ed25519_private and ed25519_public are not one Ed25519 key pair")
        return None
    return str(private)


def _read_authorized_keys(lines: object, remarks: list[str]) -> Iterator[str]:
    if lines is None:
        return
    if not isinstance(lines, list):
        remarks.append("not honoured: ssh_authorized_keys is not a list")
        return
    for index, line in enumerate(lines):
        if isinstance(line, str) and len(line.splitlines()) == 1:
            yield line.strip()
        else:
            remarks.append(f"not honoured: ssh_authorized_keys[{index}] is not one line of text")


def _read_files(entries: object, remarks: list[str]) -> Iterator[WrittenFile]:
    if entries is None:
        return
    if not isinstance(entries, list):
        remarks.append("not honoured: write_files is not a list")
        return
    for index, entry in enumerate(entries):
        try:
            yield _read_file(entry)
        except ValueError as error:
            remarks.append(f"not honoured: write_files[{index}] {error}")


def _read_file(entry: object) -> WrittenFile:
    if not isinstance(entry, dict) or not isinstance(entry.get("path"), str):
        raise ValueError("has no path")
    return WrittenFile(
        path=_path_in_home(entry["path"]),
        content=_decode(entry.get("content") or "", entry.get("encoding")),
        mode=_read_mode(entry.get("permissions")),
        append=entry.get("append") is True,
    )


def _path_in_home(path: str) -> PurePosixPath:
    try:
        inside = PurePosixPath(posixpath.normpath(path)).relative_to(HOME)
    except ValueError:
        raise ValueError(f"{path} is not under {HOME}, and this machine has no root") from None
    if not inside.parts:
        raise ValueError(f"{path} is a folder")
    return inside


def _decode(content: object, encoding: object) -> bytes:
    if encoding in _BASE64:
        try:
            return base64.b64decode(str(content), validate=False)
        except binascii.Error:
            raise ValueError("content is not base64") from None
    if encoding not in _PLAIN:
        raise ValueError(f"encoding {encoding} is none of b64, base64, text/plain")
    return content if isinstance(content, bytes) else str(content).encode()


def _read_mode(permissions: object) -> int:
    if permissions is None:
        return DEFAULT_MODE
    if isinstance(permissions, int):
        # Unquoted 0640 is an octal number to YAML 1.1 already.
        return permissions & 0o777
    try:
        return int(str(permissions), 8) & 0o777
    except ValueError:
        raise ValueError("permissions are not an octal number") from None


def _read_commands(commands: object, remarks: list[str]) -> str | None:
    if commands is None:
        return None
    if not isinstance(commands, list):
        remarks.append("not honoured: runcmd is not a list")
        return None
    lines = ["#!/bin/sh"]
    for index, command in enumerate(commands):
        if isinstance(command, str):
            lines.append(command)
        elif isinstance(command, list):
            lines.append(shlex.join(str(word) for word in command))
        else:
            remarks.append(f"not honoured: runcmd[{index}] is neither text nor a list")
    return "\n".join(lines) + "\n"
