"""A host that is not listening yet, and an empty stack that would reach it."""

import sys
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest

from scripts.command_plugin.install import install
from tests.support.command_plugin.ssh_host import SshHost
from tests.support.command_plugin.stack import Stack
from tests.support.own_address import own_address
from tests.support.pulumi_cli import pulumi_environment


@pytest.fixture(scope="session")
def key() -> asyncssh.SSHKey:
    return asyncssh.generate_private_key("ssh-ed25519")


@pytest.fixture
def host(tmp_path: Path, key: asyncssh.SSHKey) -> Iterator[SshHost]:
    disk = tmp_path / "disk"
    disk.mkdir()
    host = SshHost(own_address(), disk, key)
    yield host
    host.close()


@pytest.fixture
def stack(tmp_path: Path, host: SshHost, key: asyncssh.SSHKey) -> Stack:
    home, backend = tmp_path / "home", tmp_path / "backend"
    install(home, Path(sys.executable))
    stack = Stack(tmp_path / "program", pulumi_environment(home, backend), backend)
    stack.connect(host, key)
    return stack
