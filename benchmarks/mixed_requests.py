"""10,000 mixed requests, 5 % of them struck by faults: nothing fails that was not asked to, and memory stays flat."""

import asyncio
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path
from random import Random

import aiohttp
import psutil

from benchmarks.table import Table, against
from tests.support.emulated import PUBLIC_KEY
from tests.support.local_cloud import LocalCloud, local_cloud

REQUESTS = 10_000
CLIENTS = 16
PROBABILITY = 0.05
STRUCK = {
    "list-instances": "error-503",
    "get-instance": "error-500",
    "launch": "error-500",
    "terminate": "error-503",
    "list-ssh-keys": "error-500",
}
SEED = 7
MEMORY_BOUND = 1.1
"""Resident memory after the requests against before, both with a full journal."""


class Client:
    """Asks at random, and keeps few instances: what is launched is terminated again."""

    def __init__(self, session: aiohttp.ClientSession, number: int) -> None:
        self._session = session
        self._random = Random(f"{SEED}/{number}")  # noqa: S311  # to be repeated
        self._instances: list[str] = []
        self.answers: Counter[tuple[str, int]] = Counter()

    async def ask(self) -> None:
        """One request."""
        choice = self._random.random()
        if choice < 0.15:
            await self._launch()
        elif choice < 0.3 and self._instances:
            instance = self._instances.pop()
            await self._call("terminate", "POST", "instance-operations/terminate", {"instance_ids": [instance]})
        elif choice < 0.65 and self._instances:
            await self._call("get-instance", "GET", f"instances/{self._random.choice(self._instances)}")
        elif choice < 0.85:
            await self._call("list-ssh-keys", "GET", "ssh-keys")
        else:
            await self._call("list-instances", "GET", "instances")

    async def _launch(self) -> None:
        order = {"region_name": "us-east-3", "instance_type_name": "gpu_1x_gh200", "ssh_key_names": ["load"]}
        text = await self._call("launch", "POST", "instance-operations/launch", order)
        if text is not None:
            self._instances += json.loads(text)["data"]["instance_ids"]

    async def _call(self, operation: str, method: str, path: str, body: object = None) -> str | None:
        async with self._session.request(method, path, json=body) as answer:
            text = await answer.text()
            self.answers[operation, answer.status] += 1
            return text if answer.ok else None


def main() -> None:
    """Fill the journal first, then count and weigh."""
    table = Table(f"{REQUESTS} mixed requests by {CLIENTS} clients", ("what", "value"))
    with tempfile.TemporaryDirectory() as folder, local_cloud(Path(folder) / "cloud", "none", "0") as cloud:
        server = psutil.Process(json.loads((cloud.state / "server.json").read_text())["pid"])
        for operation, kind in STRUCK.items():
            fault = {"operation": operation, "kind": kind, "probability": PROBABILITY, "seed": SEED}
            cloud.control("POST", "/faults", fault)
        print(f"{REQUESTS} requests to fill the journal, and as many to count ...", file=sys.stderr, flush=True)
        asyncio.run(_load(cloud))
        before = server.memory_info().rss
        answers = asyncio.run(_load(cloud))
        after = server.memory_info().rss
    for operation in STRUCK:
        asked = sum(count for (name, _), count in answers.items() if name == operation)
        failed = sum(count for (name, status), count in answers.items() if name == operation and status >= 500)
        table.add(f"5xx of {operation}, asked for {PROBABILITY:.0%}", f"{failed / asked:.1%} of {asked}")
    odd = {key: count for key, count in answers.items() if key[1] not in (200, 500, 503)}
    table.add("other answers than 200 and the faults", odd or "none")
    table.add("memory after / before", against(after / before, MEMORY_BOUND))
    table.show()


async def _load(cloud: LocalCloud) -> Counter[tuple[str, int]]:
    headers = {"Authorization": f"Bearer {cloud.api_key}", "User-Agent": "load"}
    async with aiohttp.ClientSession(f"{cloud.url}/api/v1/", headers=headers) as session:
        # There already, the second time.
        async with session.post("ssh-keys", json={"name": "load", "public_key": PUBLIC_KEY}):
            pass
        clients = [Client(session, number) for number in range(CLIENTS)]

        async def work(client: Client) -> None:
            for _ in range(REQUESTS // CLIENTS):
                await client.ask()

        await asyncio.gather(*(work(client) for client in clients))
    return sum((client.answers for client in clients), Counter())


if __name__ == "__main__":
    main()
