"""A port of this computer that leads to the model server's port on the machine."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ops.errors import OpsError
from ops.ssh import CONNECT_S, Login, failed

LOOPBACK = "127.0.0.1"
END_S = 5
TRIES = 3


@dataclass(frozen=True)
class Forward:
    """A tunnel that is open."""

    port: int
    """On 127.0.0.1 of this computer."""
    ssh: "subprocess.Popen[str]"

    def wait(self) -> None:
        """Until it is cut."""
        self.ssh.wait()

    def close(self) -> None:
        """End it, whatever still goes through it."""
        self.ssh.terminate()
        try:
            self.ssh.wait(END_S)
        except subprocess.TimeoutExpired:
            self.ssh.kill()
            self.ssh.wait()


def open_forward(to: Login, remote_port: int, local_port: int | None = None) -> Forward:
    """Open a tunnel; without `local_port` at a port that is free.

    The remote command holds on to this program's end of a pipe, so that the tunnel ends with it, however it ends.

    Raises:
        OpsError: no way over SSH, or the local port is taken.
    """
    for left in reversed(range(TRIES)):
        port = local_port or free_port()
        place = f"{LOOPBACK}:{port}:localhost:{remote_port}"
        words = to.command("echo open; exec cat >/dev/null", ["-o", "ExitOnForwardFailure=yes", "-L", place])
        # In a session of its own: Ctrl+C is for this program, which may go on.
        ssh = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        forward = Forward(port, ssh)
        try:
            if opened(ssh):
                return forward
        except BaseException:
            forward.close()
            raise
        said = ssh.stderr.read() if ssh.stderr else ""
        status = ssh.wait()
        if "forwarding" not in said.lower():
            raise failed(status, said)
        if local_port or not left:
            raise OpsError(f"port {port} of this computer is taken: choose another one")
    raise AssertionError("unreachable")


def opened(ssh: "subprocess.Popen[str]") -> bool:
    """Whether the machine has greeted; OpenSSH listens on the local port before that."""
    return ssh.stdout is not None and ssh.stdout.readline().strip() == "open"


@contextmanager
def forwarding(to: Login, remote_port: int) -> Iterator[Forward]:
    """A tunnel at a free port for as long as the block lasts."""
    forward = open_forward(to, remote_port)
    try:
        yield forward
    finally:
        forward.close()


def free_port(wanted: int = 0) -> int:
    """`wanted` if nothing listens there, else one that the system gives."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            found: int = probe.getsockname()[1]
            return found
    raise OpsError("no TCP port of this computer is free")


def accepts(host: str, port: int, seconds: float) -> bool:
    """Whether something takes connections there; a closed firewall drops them without a word."""
    try:
        with socket.create_connection((host, port), timeout=seconds):
            return True
    except OSError:
        return False


def pause_before_retry(tries: int) -> None:
    """1, 2, 4 … 30 s."""
    time.sleep(min(2**tries, 2 * CONNECT_S))
