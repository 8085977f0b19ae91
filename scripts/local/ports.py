"""Who listens on this computer."""

from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Listener:
    ip: str
    port: int
    pid: int | None
    """None when it belongs to another user."""

    def __str__(self) -> str:
        """The process, as far as this user may know it."""
        if self.pid is None:
            return "a process of another user"
        try:
            process = psutil.Process(self.pid)
            return f"process {self.pid} ({' '.join(process.cmdline()[:4])}) in {process.cwd()}"
        except psutil.Error:
            return f"process {self.pid}"


def listeners() -> list[Listener]:
    """All listening TCP sockets."""
    return [
        Listener(connection.laddr.ip, connection.laddr.port, connection.pid)
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr
    ]
