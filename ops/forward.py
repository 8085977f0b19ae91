"""A port of this computer that leads to the model server's port on the machine."""

import socket
import time

from components.machine.ssh_tunnel import CONNECT_S, LOOPBACK, LocalPortError, Login, Tunnel, TunnelError, open_tunnel
from ops.errors import OpsError
from ops.outputs import StackOutputs
from ops.ssh import no_way


def tunnel_login(outputs: StackOutputs) -> Login:
    """How a tunnel logs in; OpsError when there is no machine yet."""
    ip, port, public_host_key = outputs.known_host
    return Login(ip, port, outputs.ssh_private_key, public_host_key)


def open_forward(to: Login, remote_port: int, local_port: int = 0) -> Tunnel:
    """Open a tunnel; without `local_port` at a port that is free.

    Raises:
        OpsError: no way over SSH, or the local port is taken.
    """
    try:
        return open_tunnel(to, remote_port, local_port)
    except LocalPortError as error:
        raise OpsError(f"{error}: choose another one") from None
    except TunnelError as error:
        raise no_way(str(error)) from None


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


def pause_before_retry(tries: int) -> None:
    """1, 2, 4 … 30 s."""
    time.sleep(min(2**tries, 2 * CONNECT_S))
