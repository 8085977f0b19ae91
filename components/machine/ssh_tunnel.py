"""A port of a machine brought to this computer by the system's own `ssh`, as the `tunnel` output does it."""

import os
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from components.lambda_cloud.api.errors import CloudError
from components.machine.known_hosts import known_hosts_line
from components.machine.ssh_words import ssh_words

LOGIN_TIMEOUT_S = 40.0
ATTEMPTS = 2
"""The port that was free may be taken a moment later, and networks have hiccups."""

USER = "ubuntu"

OPEN = "open"


class TunnelError(CloudError):
    """The tunnel did not open; the text is one line."""


@dataclass(frozen=True)
class Login:
    """How to log in, and how the machine shows that it is the one."""

    ip: str
    port: int
    private_key: str
    public_host_key: str


def has_ssh() -> bool:
    """Whether this computer has `ssh`."""
    return shutil.which("ssh") is not None


@contextmanager
def tunnel(login: Login, port: int) -> Iterator[int]:
    """The port of 127.0.0.1 that leads to `port` of the machine while the context lasts; `TunnelError` without one."""
    local, ssh = _open(login, port)
    try:
        yield local
    finally:
        _end(ssh)


def _open(login: Login, port: int) -> tuple[int, "subprocess.Popen[str]"]:
    said = ""
    for _ in range(ATTEMPTS):
        local = _free_port()
        with tempfile.TemporaryDirectory() as folder:
            ssh = subprocess.Popen(
                command(login, Path(folder), local, port),
                # `ssh` ends with its input, so also with this process when that is killed.
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            giving_up = threading.Timer(LOGIN_TIMEOUT_S, ssh.kill)
            giving_up.start()
            try:
                # It is said after the forwarding is set up. The key is not needed any more, and goes with its folder.
                if ssh.stdout and ssh.stdout.readline().strip() == OPEN:
                    return local, ssh
            finally:
                giving_up.cancel()
            ssh.kill()
            said = (ssh.communicate()[1].strip().splitlines() or [f"no answer in {LOGIN_TIMEOUT_S:.0f} s"])[-1]
    raise TunnelError(f"no SSH tunnel to {login.ip}: {said[:200]}; run `pulumi up` again")


def command(login: Login, folder: Path, local: int, port: int) -> list[str]:
    """The words that bring `port` of the machine to `local` of this computer; key and host key go into `folder`."""
    key, known = folder / "key", folder / "known_hosts"
    with os.fdopen(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(login.private_key)
    known.write_text(known_hosts_line(login.ip, login.port, login.public_host_key) + "\n")
    options = (
        "BatchMode=yes",
        "ConnectTimeout=10",
        "ExitOnForwardFailure=yes",
        "LogLevel=ERROR",
        "ServerAliveInterval=10",
        "StrictHostKeyChecking=yes",
        f'UserKnownHostsFile="{known}"',
    )
    return [
        *ssh_words(*options), "-T", "-i", str(key), "-p", str(login.port),
        "-L", f"127.0.0.1:{local}:localhost:{port}", f"{USER}@{login.ip}", f"echo {OPEN} && exec cat",
    ]  # fmt: skip


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _end(ssh: "subprocess.Popen[str]") -> None:
    ssh.terminate()
    try:
        ssh.communicate(timeout=10)
    except subprocess.TimeoutExpired:
        ssh.kill()
        ssh.communicate()
