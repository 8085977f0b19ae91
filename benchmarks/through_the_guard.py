"""What guard and TLS cost: the endpoint against a bare vLLM on the same machine, with the same flags, in turn.

The bare server is the endpoint's own command without the middleware and without certificates, on another port.
One of them at a time is asked, and the other one is suspended meanwhile: an idle vLLM on a CPU looks for work with a
whole core for minutes.
"""

import asyncio
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import psutil

from benchmarks.table import Table
from tests.local_cloud import local_cloud
from tests.pulumi_project import project

REQUESTS = 500
AT_ONCE = 64
TURNS = 4
"""Times that each of the two is asked, the first one changing."""
ONE_BY_ONE = 50
"""Requests of each turn with nothing beside."""
TOKENS = 16
FLAGS = {"dtype": "bfloat16", "enforce-eager": True, "max-num-seqs": AT_ONCE, "enable-prefix-caching": False}
BARE_PORT = 8321
LEAST_THROUGHPUT = 0.95
MOST_ADDED_MS = 2.0
START_S = 300.0


@dataclass
class Server:
    """A server, and what was measured of it."""

    url: str
    headers: dict[str, str]
    tls: ssl.SSLContext | bool
    model: str
    process: psutil.Process
    """Its API server; the others are its children."""
    throughput: list[float] = field(default_factory=list)
    """Requests a second of each turn."""
    under_load: list[float] = field(default_factory=list)
    alone: list[float] = field(default_factory=list)
    """Seconds of single requests: beside 63 others, and with nothing beside."""
    failures: int = 0

    async def ask(self, session: aiohttp.ClientSession, number: int) -> float:
        """Seconds until the whole answer is there."""
        body = {"model": self.model, "prompt": f"request {number}", "max_tokens": TOKENS, "ignore_eos": True}
        began = time.perf_counter()
        async with session.post(f"{self.url}/completions", json=body) as answer:
            text = await answer.json()
            if not answer.ok or text["usage"]["completion_tokens"] != TOKENS:
                self.failures += 1
        return time.perf_counter() - began

    async def load(self) -> None:
        """A turn of many requests at once."""
        numbers = iter(range(REQUESTS))

        async def work() -> None:
            for number in numbers:
                self.under_load.append(await self.ask(session, number))

        async with self.session() as session:
            began = time.perf_counter()
            await asyncio.gather(*(work() for _ in range(AT_ONCE)))
            self.throughput.append(REQUESTS / (time.perf_counter() - began))

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """Without any processor time."""
        family = [self.process, *self.process.children(recursive=True)]
        for process in family:
            process.suspend()
        try:
            yield
        finally:
            for process in family:
                process.resume()

    def session(self) -> aiohttp.ClientSession:
        """A client with connections of its own."""
        connector = aiohttp.TCPConnector(limit=AT_ONCE, ssl=self.tls)
        return aiohttp.ClientSession(headers=self.headers, connector=connector)


def main() -> None:
    """Both servers, warmed up, in turn."""
    with tempfile.TemporaryDirectory() as folder, _servers(Path(folder)) as (guarded, bare):
        asyncio.run(_measure(guarded, bare))
    ratio = median(guarded.throughput) / median(bare.throughput)
    added = (median(guarded.alone) - median(bare.alone)) * 1000
    beside = (median(guarded.under_load) - median(bare.under_load)) * 1000
    scheme = urlsplit(guarded.url).scheme
    table = Table(
        f"{REQUESTS} requests at {AT_ONCE} at a time, {TURNS} turns each", ("what", f"{scheme}, guard", "bare")
    )
    table.add("requests that failed", guarded.failures, bare.failures)
    table.add("requests/s", *(" ".join(f"{value:.1f}" for value in each.throughput) for each in (guarded, bare)))
    table.add("median s of one among them", *(f"{median(each.under_load):.3f}" for each in (guarded, bare)))
    table.add("median ms of one alone", *(f"{median(each.alone) * 1000:.2f}" for each in (guarded, bare)))
    table.show()
    print(f"\nthroughput: {ratio:.3f}, promised at least {LEAST_THROUGHPUT}: {_kept(ratio >= LEAST_THROUGHPUT)}")
    print(f"added to one alone: {added:.2f} ms, promised under {MOST_ADDED_MS:.0f}: {_kept(added < MOST_ADDED_MS)}")
    print(f"added to one among {AT_ONCE}: {beside:.1f} ms")


def _kept(kept: bool) -> str:
    return "ok" if kept else "MISSED"


async def _measure(guarded: Server, bare: Server) -> None:
    pairs = [(guarded, bare), (bare, guarded)]
    for server, other in pairs:
        with other.suspended():
            await server.load()
        server.throughput.clear()
        server.under_load.clear()
    order = [*pairs, *reversed(pairs)] * (TURNS // 2)
    for turn, (server, other) in enumerate(order):
        print(f"turn {turn + 1} of {len(order)} ...", file=sys.stderr, flush=True)
        with other.suspended():
            await server.load()
            async with server.session() as session:
                # The first one of a connection makes it.
                await server.ask(session, 0)
                server.alone += [await server.ask(session, number) for number in range(ONE_BY_ONE)]


@contextmanager
def _servers(folder: Path) -> Iterator[tuple[Server, Server]]:
    with local_cloud(folder / "cloud") as cloud, project(folder, cloud) as made:
        made.configure(
            apiUrl=cloud.url, hfEndpoint=cloud.url, sshPort=2222, maxModelLen=512, vllmArgs=FLAGS,
            allowedCidrs=["127.0.0.0/8"],
        )  # fmt: skip
        print("a stack, and a bare server beside it ...", file=sys.stderr, flush=True)
        made.up()
        outputs = made.outputs()
        authority = outputs.get("ca_certificate")
        tls = ssl.create_default_context(cadata=authority) if authority else True
        headers = {"Authorization": f"Bearer {outputs['api_key']}"}
        running = _running(cloud.home(outputs["instance_id"]))
        guarded = Server(outputs["endpoint"], headers, tls, outputs["model"], running)
        with _bare_server(running, folder / "bare.log") as process:
            host = urlsplit(guarded.url).hostname
            bare = Server(f"http://{host}:{BARE_PORT}/v1", {}, True, guarded.model, process)
            asyncio.run(_until_ready(bare))
            yield guarded, bare


def _running(home: Path) -> psutil.Process:
    (server,) = (
        process
        for process in psutil.process_iter(["cmdline"])
        if str(home) in (command := " ".join(process.info["cmdline"] or [])) and "--middleware" in command
    )
    return server


@contextmanager
def _bare_server(like: psutil.Process, log: Path) -> Iterator[psutil.Process]:
    command = [*_without(like.cmdline(), {"--middleware", "--ssl-certfile", "--ssl-keyfile"}), "--port", str(BARE_PORT)]
    command = [word for word in command if word != "--enable-ssl-refresh"]
    with log.open("wb") as output:
        server = subprocess.Popen(command, env=like.environ(), cwd=like.cwd(), stdout=output, stderr=output)
    try:
        yield psutil.Process(server.pid)
    finally:
        family = psutil.Process(server.pid).children(recursive=True)
        server.terminate()
        server.wait(60)
        for process in family:
            if process.is_running():
                process.kill()


def _without(words: list[str], flags: set[str]) -> list[str]:
    """The command without some flags and the value after each."""
    pairs: list[Any] = list(zip(["", *words], words, strict=False))
    return [word for before, word in pairs if word not in flags and before not in flags]


async def _until_ready(server: Server) -> None:
    deadline = time.monotonic() + START_S
    async with server.session() as session:
        while time.monotonic() < deadline:
            try:
                async with session.get(server.url.removesuffix("/v1") + "/health") as answer:
                    if answer.ok:
                        return
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(1)
    sys.exit(f"the bare server does not answer within {START_S:.0f} s")


if __name__ == "__main__":
    main()
