"""The local cloud under load: requests per second and the slowest hundredth, for get and list of instances.

Clients and cloud share this computer, so the figures are those of a laptop; what is held against a bound are ratios: a
get must not cost more with more instances, and what a list costs must grow with them in a straight line.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

import aiohttp

from benchmarks.table import Table, against
from tests.support.emulated import PUBLIC_KEY
from tests.support.local_cloud import LocalCloud, local_cloud

CLIENTS = (1, 16, 64)
INSTANCES = (0, 100, 1000)
REQUESTS = {"get": 2000, "list": 200}
GET_BOUND = 1.25
"""Median get among 1,000 instances against 100, one client."""
LIST_BOUND = 1.25
"""What an instance adds to a list of 1,000, against what it adds to a list of 100, one client."""


@dataclass(frozen=True)
class Load:
    """What a number of clients found: all requests together in `seconds`, each in milliseconds."""

    seconds: float
    milliseconds: list[float]

    @property
    def per_second(self) -> float:
        """Requests answered in a second by all clients together."""
        return len(self.milliseconds) / self.seconds

    @property
    def p99(self) -> float:
        """Milliseconds within which 99 of 100 were answered."""
        return quantiles(self.milliseconds, n=100)[98]


def main() -> None:
    """Fill one account step by step and measure at each."""
    table = Table("Load (limits off, no machines)", ("operation", "instances", "clients", "requests/s", "p99 ms"))
    medians: dict[tuple[str, int], float] = {}
    with tempfile.TemporaryDirectory() as folder, local_cloud(Path(folder) / "cloud", "none", "0") as cloud:
        asyncio.run(_fill_and_measure(cloud, table, medians))
    table.show()
    ratios = Table("Growth with the number of instances (medians, one client)", ("what", "ratio"))
    fewer, more = INSTANCES[1:]
    ratios.add("get among 1,000 against 100", against(medians["get", more] / medians["get", fewer], GET_BOUND))
    empty = medians["list", 0]
    per_instance = {number: (medians["list", number] - empty) / number for number in (fewer, more)}
    ratios.add(
        "an instance's share of a list, 1,000 against 100",
        against(per_instance[more] / per_instance[fewer], LIST_BOUND),
    )
    ratios.show()
    print(f"an instance in a list: {per_instance[more] * 1000:.0f} microseconds")


async def _fill_and_measure(cloud: LocalCloud, table: Table, medians: dict[tuple[str, int], float]) -> None:
    headers = {"Authorization": f"Bearer {cloud.api_key}", "User-Agent": "load"}
    connector = aiohttp.TCPConnector(limit=max(CLIENTS))
    async with aiohttp.ClientSession(f"{cloud.url}/api/v1/", headers=headers, connector=connector) as session:
        await _call(session, "POST", "ssh-keys", {"name": "load", "public_key": PUBLIC_KEY})
        ids: list[str] = []
        for number in INSTANCES:
            print(f"{number} instances ...", file=sys.stderr, flush=True)
            while len(ids) < number:
                ids.append(await _launch(session))
            targets = {"list": lambda _n: "instances"}
            if ids:
                targets["get"] = lambda n: f"instances/{ids[n % len(ids)]}"
            for operation, target in targets.items():
                for clients in CLIENTS:
                    load = await _load(session, target, clients, REQUESTS[operation])
                    table.add(operation, number, clients, f"{load.per_second:.0f}", f"{load.p99:.1f}")
                    if clients == 1:
                        medians[operation, number] = median(load.milliseconds)


async def _launch(session: aiohttp.ClientSession) -> str:
    order = {"region_name": "us-east-3", "instance_type_name": "gpu_1x_gh200", "ssh_key_names": ["load"]}
    answer = await _call(session, "POST", "instance-operations/launch", order)
    return str(answer["data"]["instance_ids"][0])


async def _call(
    session: aiohttp.ClientSession, method: str, path: str, body: object = None
) -> dict[str, dict[str, list[str]]]:
    async with session.request(method, path, json=body) as answer:
        answer.raise_for_status()
        read: dict[str, dict[str, list[str]]] = await answer.json()
        return read


async def _load(session: aiohttp.ClientSession, target: Callable[[int], str], clients: int, requests: int) -> Load:
    """`requests` calls by so many clients, each of which sends the next when the last is answered."""
    numbers = iter(range(requests))
    taken: list[float] = []

    async def client() -> None:
        for number in numbers:
            began = time.perf_counter()
            async with session.get(target(number)) as answer:
                await answer.read()
                answer.raise_for_status()
            taken.append((time.perf_counter() - began) * 1000)

    working: list[Awaitable[None]] = [client() for _ in range(clients)]
    began = time.perf_counter()
    await asyncio.gather(*working)
    return Load(time.perf_counter() - began, taken)


if __name__ == "__main__":
    main()
