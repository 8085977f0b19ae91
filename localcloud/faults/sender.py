"""Which machine sent a request: all of them share one network, so it is the sending process that tells."""

import os
from contextlib import suppress

import psutil
from aiohttp import web

from localcloud.machines.environment import MARKER


def machine_that_sent(request: web.Request) -> str | None:
    """Instance id of the machine whose process holds the other end of the connection; None for anybody else. Blocks."""
    peer = request.transport.get_extra_info("peername") if request.transport else None
    if peer is None:
        return None
    for connection in psutil.net_connections("tcp"):
        if connection.pid and connection.laddr and tuple(connection.laddr) == tuple(peer[:2]):
            with suppress(psutil.Error, OSError):
                if connection.pid != os.getpid():
                    return psutil.Process(connection.pid).environ().get(MARKER)
    return None
