"""A local cloud in the background: start it, ask it, end it and clear everything away."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

import psutil

from localcloud.account import credentials
from localcloud.account.state import RunningServer, StateDirectory
from localcloud.account.store import Store
from localcloud.clock import comes_true
from localcloud.errors import LocalCloudError
from localcloud.paths import CONTROL_PREFIX

START_SECONDS = 60.0
STOP_SECONDS = 30.0
POLL_SECONDS = 0.05


def up(state: StateDirectory, serve_arguments: Sequence[str]) -> str:
    """Have a server run on the state; the line to print. `serve_arguments` are those of `serve`.

    Raises:
        LocalCloudError: it did not start; the text is what it said last.
    """
    if running := state.running_server():
        return f"already up: {running.url}"
    state.make()
    with state.log.open("ab") as log:
        said_before = log.tell()
        process = subprocess.Popen(
            [sys.executable, "-m", "localcloud", "serve", *serve_arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    comes_true(lambda: state.running_server() is not None or process.poll() is not None, START_SECONDS, POLL_SECONDS)
    running = state.running_server()
    if running is None:
        _end(process)
        raise LocalCloudError(_last_line(state, said_before) or f"the server did not start; see {state.log}")
    return running.url


def status(state: StateDirectory) -> dict[str, Any]:
    """All that a user of the local cloud needs to know, secrets included.

    Raises:
        LocalCloudError: it is not up, or it does not answer.
    """
    running = state.running_server()
    if running is None:
        raise LocalCloudError(f"not up on {state.path}; start it with `python -m localcloud up`")
    secrets = credentials.read(state.credentials)
    now = _overview(running)
    return {
        "url": running.url,
        "hf_endpoint": running.url,
        **secrets.model_dump(),
        "pid": running.pid,
        "ssh_port": running.ssh_port,
        "machines": running.machines,
        **{name: now[name] for name in ("instances", "cents_per_hour", "faults")},
    }


def down(state: StateDirectory) -> str:
    """End the server, destroy every machine and remove the state; the line to print.

    It needs no living server: the machines are destroyed from what is on disk, so it also cleans up after a kill.

    Raises:
        LocalCloudError: the server or a process on a machine does not end, or something cannot be removed.
    """
    if not state.lock.exists():
        return f"nothing is up on {state.path}"
    was_up = state.is_in_use()
    if was_up:
        _stop_server(state)
    with state.exclusive():
        destroyed = asyncio.run(destroy_machines(state))
        state.remove()
    return f"{'down' if was_up else 'was not up; state removed'}, {destroyed} instance(s) destroyed"


def _stop_server(state: StateDirectory) -> None:
    running = _wait_until_it_listens(state)
    if running is None:
        return
    with suppress(ProcessLookupError):
        os.kill(running.pid, signal.SIGTERM)
    if not comes_true(lambda: not state.is_in_use(), STOP_SECONDS, POLL_SECONDS):
        with suppress(ProcessLookupError):
            os.kill(running.pid, signal.SIGKILL)
    if not comes_true(lambda: not (_lives(running.pid) or _answers(running)), STOP_SECONDS, POLL_SECONDS):
        raise LocalCloudError(f"the server, process {running.pid}, does not end")


def _wait_until_it_listens(state: StateDirectory) -> RunningServer | None:
    """The server, waited for when it is just starting; None when it gave up in the meantime."""
    comes_true(lambda: state.running_server() is not None or not state.is_in_use(), START_SECONDS, POLL_SECONDS)
    running = state.running_server()
    if running is None and state.is_in_use():
        raise LocalCloudError(f"a server is starting on {state.path} and does not come up; see {state.log}")
    return running


async def destroy_machines(state: StateDirectory) -> int:
    """Destroy the machine of every instance on disk, also of those that the database does not know; how many."""
    # Only here, since importing SSH takes a good part of a second.
    from localcloud.machines.errors import MachineError
    from localcloud.machines.kinds import all_kinds

    instance_ids = _known_instances(state)
    try:
        for machines in all_kinds(state.machines):
            instance_ids |= machines.on_disk()
            for instance_id in instance_ids:
                await machines.destroy(instance_id)
    except MachineError as error:
        raise LocalCloudError(f"{error}; `down` may be tried again") from None
    return len(instance_ids)


def _known_instances(state: StateDirectory) -> set[str]:
    """Ids of the instances in the database; none when it is not there or cannot be read, as `down` is what helps."""
    if not state.database.exists():
        return set()
    try:
        store = Store(state.database)
    except LocalCloudError:
        return set()
    try:
        return {instance.id for instance in store.instances.all()}
    finally:
        store.close()


def _overview(running: RunningServer) -> dict[str, Any]:
    address = urlsplit(running.url)
    connection = HTTPConnection(address.hostname or "", address.port, timeout=10)
    try:
        connection.request("GET", f"{CONTROL_PREFIX}/overview")
        now: dict[str, Any] = json.loads(connection.getresponse().read())
    except (OSError, HTTPException, ValueError) as error:
        raise LocalCloudError(f"the server at {running.url} does not answer: {error}") from None
    finally:
        connection.close()
    return now


def _lives(pid: int) -> bool:
    """Whether a process is there and is more than an entry that nobody has collected."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _answers(running: RunningServer) -> bool:
    address = urlsplit(running.url)
    try:
        with socket.create_connection((address.hostname or "", address.port or 0), timeout=1):
            return True
    except OSError:
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a server that did not come up in time."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _last_line(state: StateDirectory, start: int) -> str | None:
    """The last line of the log after byte `start`, which is why the server ended."""
    lines = state.log.read_bytes()[start:].decode(errors="replace").splitlines()
    return lines[-1].removeprefix("localcloud: ") if lines else None
