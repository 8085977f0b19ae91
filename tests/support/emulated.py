"""The local cloud in a thread of the test: the program's clients meet Lambda's API and a hub without a process."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp.test_utils import TestServer

from components.lambda_cloud.api.client import LambdaClient
from components.lambda_cloud.api.limits import Limits, RateLimiter
from localcloud.account.credentials import Credentials
from localcloud.account.state import StateDirectory
from localcloud.hub import hub_routes, hub_tokens
from localcloud.machines.none import NoMachines
from localcloud.server import make_app, open_cloud
from tests.support.control_side import ControlSide
from tests.support.jumping_clock import JumpingClock

PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICN+lJwsONkwrdsSnQsu1ydUkIuIg5oOC+Eslvmtt60T test"


@dataclass(frozen=True)
class EmulatedCloud(ControlSide):
    """A new account in which nothing takes time."""

    credentials: Credentials
    client: LambdaClient
    clock: JumpingClock


@contextmanager
def emulated_cloud(state: Path) -> Iterator[EmulatedCloud]:
    """A local cloud that lives as long as the context, in a thread of its own; time passes when its client waits."""
    clock = JumpingClock(is_ticking=True)
    loop = asyncio.new_event_loop()
    ready = threading.Event()
    stop = asyncio.Event()
    found: list[tuple[str, Credentials]] = []

    async def serve() -> None:
        async with open_cloud(StateDirectory(state), NoMachines(), 0.0, clock=clock) as cloud:
            tokens = hub_tokens(cloud.credentials)
            server = TestServer(make_app(cloud, hub_routes(state / "hub", tokens), "off"))
            await server.start_server()
            found.append((str(server.make_url("")).rstrip("/"), cloud.credentials))
            ready.set()
            await stop.wait()
            await server.close()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(10)
    limiter = RateLimiter(Limits(request_interval=0.0, launch_interval=0.0), clock)
    try:
        url, credentials = found[0]
        yield EmulatedCloud(url, credentials, LambdaClient(credentials.api_key, url, limiter), clock)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
