"""Find and end the processes of a machine, whoever started them and however they were detached."""

import os
import time
from collections.abc import Iterator
from contextlib import suppress

import psutil

from localcloud.machines.environment import MARKER
from localcloud.machines.errors import MachineError

GRACE = 3.0
"""Seconds between asking a process to end and ending it."""
LIMIT = 30.0
"""Seconds after which a process that does not even end when killed is reported."""


def end_processes(instance_id: str) -> None:
    """SIGTERM, then SIGKILL after `GRACE` seconds, until none is left, those forked meanwhile included. Blocks.

    Raises MachineError when one outlives `LIMIT`, as a process stuck in the kernel does.
    """
    began = time.monotonic()
    asked: set[psutil.Process] = set()
    while alive := processes_of(instance_id):
        waited = time.monotonic() - began
        if waited > LIMIT:
            pids = ", ".join(str(process.pid) for process in alive)
            raise MachineError(f"machine {instance_id}: processes {pids} do not end; end them by hand and try again")
        for process in alive:
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                if waited > GRACE:
                    process.kill()
                elif process not in asked:
                    process.terminate()
        asked.update(alive)
        time.sleep(0.05)


def processes_of(instance_id: str) -> list[psutil.Process]:
    """All that carry the machine's marker, and all in a session with one that does.

    A process may have cleared or overwritten its environment; it is still in the session the machine gave it.
    """
    everything = [process for process in psutil.process_iter() if process.pid != os.getpid()]
    marked = {process for process in everything if _carries_marker(process, instance_id)}
    sessions = set(_sessions(marked))
    return [process for process in everything if process in marked or (_in_session(process, sessions))]


def _carries_marker(process: psutil.Process, instance_id: str) -> bool:
    try:
        return process.environ().get(MARKER) == instance_id
    except (psutil.Error, OSError):
        return False


def _sessions(processes: set[psutil.Process]) -> Iterator[int]:
    for process in processes:
        with suppress(OSError):
            yield os.getsid(process.pid)


def _in_session(process: psutil.Process, sessions: set[int]) -> bool:
    try:
        return os.getsid(process.pid) in sessions and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, OSError):
        return False
