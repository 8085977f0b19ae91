"""The server: three sides on one port, from its first to its last moment."""

import asyncio
import errno
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

from aiohttp import web

from localcloud.account.capacity import Capacity
from localcloud.account.credentials import load_or_create
from localcloud.account.drift import Drift
from localcloud.account.filesystems import FilesystemFolders
from localcloud.account.prices import Prices
from localcloud.account.quotas import Allowance
from localcloud.account.state import RunningServer, StateDirectory
from localcloud.account.store import Store
from localcloud.api.auth import authenticate
from localcloud.api.edge import LIMITER, RateLimit, check_user_agent, rate_limiter
from localcloud.api.edge_date import EdgeDate
from localcloud.api.envelope import envelope
from localcloud.api.routes import api_routes
from localcloud.clock import SYSTEM_CLOCK, Clock
from localcloud.cloud import CLOUD, Cloud
from localcloud.control.journal import Journal
from localcloud.control.page.routes import page_routes
from localcloud.control.routes import control_app, operations_of
from localcloud.errors import LocalCloudError
from localcloud.faults.ssh import SshTrouble
from localcloud.faults.trouble import play
from localcloud.faults.waiting import Faults
from localcloud.files import replace_file
from localcloud.hub import hub_routes, hub_tokens
from localcloud.machines.accelerator import Accelerator
from localcloud.machines.base import Machines
from localcloud.machines.kinds import machines_of_kind
from localcloud.machines.lifecycle import Lifecycle
from localcloud.machines.process import ProcessMachines
from localcloud.machines.small_disk import can_mount
from localcloud.paths import API_PREFIX, CONTROL_PREFIX

LARGEST_BODY = 8 * 1024 * 1024
"""Bytes; user data of 1 MB may be several times as long as a JSON string."""


@dataclass(frozen=True)
class Settings:
    """How a local cloud is served.

    `time_scale` stretches boots and terminations: 1 is like Lambda, 0 is at once. `seed` decides how long boots take
    and what a scenario strikes; `capacity_seed` None leaves the account's capacity as it is.
    """

    state: StateDirectory
    host: str
    port: int
    machines: Literal["process", "nspawn", "none"]
    time_scale: float
    rate_limit: RateLimit
    accelerator: Accelerator | None
    disk_bytes: int | None = None
    seed: int = 0
    capacity_seed: int | None = None
    scenario: str | None = None


@asynccontextmanager
async def open_cloud(
    state: StateDirectory,
    machines: Machines,
    time_scale: float,
    seed: int = 0,
    faults: Faults | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> AsyncIterator[Cloud]:
    """The account in a state directory, its instances taken up where they were left."""
    credentials = load_or_create(state.credentials)
    store = Store(state.database)
    filesystems = FilesystemFolders(state.filesystems, time_scale, clock)
    lifecycle = Lifecycle(store, machines, filesystems, time_scale, seed, clock)
    faults = faults or Faults(clock)
    faults.has_ssh = machines.kind == ProcessMachines.kind
    faults.has_small_disks = machines.kind == ProcessMachines.kind and can_mount()
    capacity = Capacity(store, Drift(store, time_scale, clock))
    try:
        await asyncio.to_thread(filesystems.keep_only, {one.id for one in store.filesystems.all()})
        await lifecycle.recover()
        yield Cloud(
            credentials,
            store,
            capacity,
            Prices(store),
            Allowance(store),
            lifecycle,
            filesystems,
            faults,
            Journal(clock),
            EdgeDate(clock),
            clock,
        )
    finally:
        await lifecycle.close()
        store.close()


def make_app(cloud: Cloud, hub: Sequence[web.RouteDef], rate_limit: RateLimit) -> web.Application:
    """The whole application: Lambda's API, the control side, and the hub on the paths between them."""
    routes = api_routes()
    limiter = rate_limiter(rate_limit, cloud.clock)
    limits = [limiter.middleware()] if limiter else []
    api = web.Application(
        middlewares=[check_user_agent(), *limits, envelope, authenticate, cloud.faults.middleware()],
        client_max_size=LARGEST_BODY,
    )
    api.add_routes(routes)
    app = web.Application(
        middlewares=[cloud.journal.middleware(), cloud.faults.hub_middleware()], client_max_size=LARGEST_BODY
    )
    app[CLOUD] = cloud
    app.on_response_prepare.append(cloud.edge_date.stamp)
    if limiter:
        app[LIMITER] = limiter
    app.add_subapp(API_PREFIX, api)
    app.add_subapp(CONTROL_PREFIX, control_app(operations_of(routes)))
    app.add_routes(page_routes())
    app.add_routes(hub)

    async def end_delays(_app: web.Application) -> None:
        await cloud.faults.delays.close()

    app.on_shutdown.append(end_delays)
    return app


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; the first line on stdout is the URL, printed when everything answers.

    Raises:
        LocalCloudError: the state is in use or unreadable, or the port is taken.
    """
    asked = stop_signal()
    async with serving(settings) as running:
        print(running.url, flush=True)
        await asked.wait()


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[RunningServer]:
    """An account that answers for the length of the block.

    Raises:
        LocalCloudError: the state is in use or unreadable, or the port is taken.
    """
    state = settings.state
    with state.exclusive():
        faults = Faults()
        machines = machines_of_kind(
            settings.machines, state.machines, settings.accelerator, SshTrouble(faults), settings.disk_bytes
        )
        async with open_cloud(state, machines, settings.time_scale, settings.seed, faults) as cloud:
            _begin_trouble(cloud, settings)
            tokens = hub_tokens(cloud.credentials)
            app = make_app(cloud, hub_routes(state.hub, tokens), settings.rate_limit)
            async with _listen(app, settings) as url:
                running = RunningServer(pid=os.getpid(), url=url, machines=machines.kind, ssh_port=machines.ssh_port)
                replace_file(state.server, running.model_dump_json() + "\n")
                yield running


def _begin_trouble(cloud: Cloud, settings: Settings) -> None:
    if settings.capacity_seed is not None:
        cloud.capacity.drift.seed = settings.capacity_seed
    if settings.scenario is not None:
        play(cloud, settings.scenario, settings.seed, operations_of(api_routes()))


@asynccontextmanager
async def _listen(app: web.Application, settings: Settings) -> AsyncIterator[str]:
    """Listen, and say under which URL."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0)
    await runner.setup()
    site = web.TCPSite(runner, settings.host, settings.port)
    try:
        try:
            await site.start()
        except OSError as error:
            raise LocalCloudError(_why_not_listening(error, settings)) from None
        port = runner.addresses[0][1]
        host = "127.0.0.1" if settings.host == "0.0.0.0" else settings.host  # noqa: S104  # compared, not bound
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


def _why_not_listening(error: OSError, settings: Settings) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {settings.port} of {settings.host} is taken by another program; choose one with --port"
    return f"cannot listen on port {settings.port} of {settings.host}: {error.strerror or error}"


def stop_signal() -> asyncio.Event:
    """Set by SIGTERM and SIGINT from now on, also when they come before everything is up."""
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.set)
    # Under nohup this signal is ignored, and so it would be in every session on a machine, whose foreground command
    # then outlives a lost connection. A handler of any kind is not inherited.
    loop.add_signal_handler(signal.SIGHUP, lambda: None)
    return asked
