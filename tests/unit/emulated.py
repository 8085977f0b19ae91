"""The local cloud in a thread of the test: the program's clients meet Lambda's API and a hub without a process."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from aiohttp.test_utils import TestServer

from components.cloud.client import LambdaClient
from components.cloud.limits import Limits, RateLimiter
from localcloud.credentials import Credentials
from localcloud.hub import HubTokens, hub_routes
from localcloud.machines.none import NoMachines
from localcloud.server import make_app, open_cloud
from localcloud.state import StateDirectory

PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICN+lJwsONkwrdsSnQsu1ydUkIuIg5oOC+Eslvmtt60T test"


@dataclass(frozen=True)
class EmulatedCloud:
    """A new account in which nothing takes time."""

    url: str
    credentials: Credentials
    client: LambdaClient

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Change what the cloud does, or see what it was asked."""
        answer = requests.request(method, f"{self.url}/_localcloud{path}", json=body, timeout=10)
        assert answer.ok, answer.text
        return answer.json()

    def fault(self, operation: str, kind: str, times: int = 1) -> None:
        """Let the next calls of an operation go wrong."""
        self.control("POST", "/faults", {"operation": operation, "kind": kind, "times": times})

    def calls(self, operation: str) -> int:
        """How often an operation was asked for."""
        return sum(entry["operation"] == operation for entry in self.control("GET", "/requests"))

    def billing(self) -> list[str]:
        """Ids of the instances that cost money."""
        return [i.id for i in self.client.instances() if i.status not in ("terminated", "preempted")]


@contextmanager
def emulated_cloud(state: Path) -> Iterator[EmulatedCloud]:
    """A local cloud that lives as long as the context, in a thread of its own."""
    loop = asyncio.new_event_loop()
    ready = threading.Event()
    stop = asyncio.Event()
    found: list[tuple[str, Credentials]] = []

    async def serve() -> None:
        async with open_cloud(StateDirectory(state), NoMachines(), 0.0) as cloud:
            tokens = HubTokens(cloud.credentials.hf_token, cloud.credentials.hf_token_without_access)
            server = TestServer(make_app(cloud, hub_routes(state / "hub", tokens), "off"))
            await server.start_server()
            found.append((str(server.make_url("")).rstrip("/"), cloud.credentials))
            ready.set()
            await stop.wait()
            await server.close()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(10)
    limiter = RateLimiter(Limits(request_interval=0.0, launch_interval=0.0))
    try:
        url, credentials = found[0]
        yield EmulatedCloud(url, credentials, LambdaClient(credentials.api_key, url, limiter))
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
