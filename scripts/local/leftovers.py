"""What is still there of the local stack when nothing should be."""

from collections.abc import Iterable
from pathlib import Path

import psutil

from scripts.local.ports import listeners

MARKER = "LOCALCLOUD_INSTANCE"
"""The local cloud sets this variable for every process of a machine."""


def processes_of_machines(cloud_state: Path) -> list[str]:
    """One line for each process that a machine of this local cloud left."""
    left = []
    for process in psutil.process_iter():
        try:
            environment = process.environ()
            if MARKER in environment and cloud_state in Path(environment.get("HOME", "/")).parents:
                left.append(f"process {process.pid} of instance {environment[MARKER]}: {' '.join(process.cmdline())}")
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return left


def open_ports(addresses: Iterable[str], cloud_port: int) -> list[str]:
    """One line for each port that listens on a machine's address, or is the local cloud's own."""
    wanted = set(addresses)
    return [
        f"port {listener.port} on {listener.ip}: {listener}"
        for listener in listeners()
        if listener.ip in wanted or listener.port == cloud_port
    ]
