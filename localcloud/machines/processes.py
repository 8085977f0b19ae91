"""Find and end the processes of a machine, whoever started them and however they were detached."""

import os
import resource
from contextlib import suppress
from pathlib import Path

import psutil

from localcloud.clock import SYSTEM_CLOCK, comes_true
from localcloud.machines.errors import MachineError

GRACE = 3.0
"""Seconds between asking a process to end and ending it."""
LIMIT = 30.0
"""Seconds after which a process that does not even end when killed is reported."""

_UNREACHABLE = 2**60
"""Microseconds of real-time processor time: thousands of years, and far from the kernel's "unlimited"."""
_MARKED_LIMIT = b"Max realtime timeout"


def mark_of(instance_id: str) -> int:
    """The limit (see `enter.py`) that every process of the machine carries, and no other process on this computer."""
    return _UNREACHABLE + int(instance_id[:15], 16)


def check_markable() -> None:
    """Raises MachineError where this process may not give others a mark, as on a machine of another local cloud."""
    _, hardest = resource.getrlimit(resource.RLIMIT_RTTIME)
    if hardest != resource.RLIM_INFINITY and os.geteuid() != 0:
        raise MachineError("machines need an unlimited RLIMIT_RTTIME to be told apart; start the local cloud with one")


def end_processes(instance_id: str) -> None:
    """SIGTERM, then SIGKILL after `GRACE` seconds, until none is left, those forked meanwhile included. Blocks.

    Raises MachineError when one outlives `LIMIT`, as a process stuck in the kernel does.
    """
    killed_from = SYSTEM_CLOCK.monotonic() + GRACE
    asked: set[psutil.Process] = set()
    alive: list[psutil.Process] = []

    def have_ended() -> bool:
        nonlocal alive
        # Looked for twice: one that forks and ends during a look hides its child from that look.
        alive = processes_of(instance_id) or processes_of(instance_id)
        for process in alive:
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                if SYSTEM_CLOCK.monotonic() > killed_from:
                    process.kill()
                elif process not in asked:
                    process.terminate()
        asked.update(alive)
        return not alive

    if not comes_true(have_ended, LIMIT, every=0.05):
        pids = ", ".join(str(process.pid) for process in alive)
        raise MachineError(f"machine {instance_id}: processes {pids} do not end; end them by hand and try again")


def processes_of(instance_id: str) -> list[psutil.Process]:
    """All that were started on the machine and have not ended."""
    mark = str(mark_of(instance_id)).encode()
    return [process for process in psutil.process_iter() if _carries(process, mark)]


def _carries(process: psutil.Process, mark: bytes) -> bool:
    try:
        limits = Path(f"/proc/{process.pid}/limits").read_bytes()
        marked = any(mark in line.split() for line in limits.splitlines() if line.startswith(_MARKED_LIMIT))
        return marked and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, OSError):
        return False
