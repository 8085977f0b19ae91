"""What guard and TLS cost: one vLLM with the endpoint's own command and a bare port besides, asked by each in turn.

Both ways lead to the same server (`second_door`), as two vLLMs with the same flags differ by more than what is looked
for. The stack's own server is suspended meanwhile.
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
from statistics import mean, median, stdev
from urllib.parse import urlsplit

import aiohttp
import psutil

from benchmarks.second_door import PORT_VARIABLE
from benchmarks.table import Table
from tests.support.local_cloud import local_cloud
from tests.support.pulumi_project import project

REQUESTS = 500
AT_ONCE = 64
TURNS = 24
"""Times that each of the two is taken, the first one changing."""
ONE_BY_ONE = 200
LISTS = 2000
TOKENS = 16
FLAGS = {"dtype": "bfloat16", "enforce-eager": True, "max-num-seqs": AT_ONCE, "enable-prefix-caching": False}
PORT = 8321
BARE_PORT = 8322
LEAST_THROUGHPUT = 0.95
MOST_ADDED_MS = 2.0
START_S = 300.0


@dataclass
class Server:
    """A way to the server, and what was measured of it."""

    url: str
    headers: dict[str, str]
    tls: ssl.SSLContext | bool
    model: str
    throughput: list[float] = field(default_factory=list)
    """Requests a second of each turn."""
    opening: list[float] = field(default_factory=list)
    """Seconds until as many connections are open as there are requests at once, before each turn."""
    under_load: list[float] = field(default_factory=list)
    alone: list[float] = field(default_factory=list)
    """Seconds of single requests: beside 63 others, and with nothing beside."""
    listed: list[float] = field(default_factory=list)
    """Seconds of lists of the models, for which the engine is not asked: its own time differs by more than is added."""
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

    async def list_models(self, session: aiohttp.ClientSession) -> float:
        """Seconds until the whole answer is there."""
        began = time.perf_counter()
        async with session.get(f"{self.url}/models") as answer:
            await answer.read()
            if not answer.ok:
                self.failures += 1
        return time.perf_counter() - began

    async def load(self) -> None:
        """A turn of many requests at once, on connections that are open, as clients keep them."""
        numbers = iter(range(REQUESTS))

        async def work() -> None:
            for number in numbers:
                self.under_load.append(await self.ask(session, number))

        async with self.session() as session:
            began = time.perf_counter()
            await asyncio.gather(*(self.list_models(session) for _ in range(AT_ONCE)))
            self.opening.append(time.perf_counter() - began)
            began = time.perf_counter()
            await asyncio.gather(*(work() for _ in range(AT_ONCE)))
            self.throughput.append(REQUESTS / (time.perf_counter() - began))

    def session(self) -> aiohttp.ClientSession:
        """A client with connections of its own."""
        connector = aiohttp.TCPConnector(limit=AT_ONCE, ssl=self.tls)
        return aiohttp.ClientSession(headers=self.headers, connector=connector)


def main() -> None:
    """Both ways, warmed up, in turn."""
    with tempfile.TemporaryDirectory() as folder, _servers(Path(folder)) as (guarded, bare):
        asyncio.run(_measure(guarded, bare))
    ratio = mean(guarded.throughput) / mean(bare.throughput)
    added = (median(guarded.listed) - median(bare.listed)) * 1000
    beside = (median(guarded.under_load) - median(bare.under_load)) * 1000
    table = Table(f"{REQUESTS} requests at {AT_ONCE} at a time, {TURNS} turns each", ("what", "TLS, guard", "bare"))
    table.add("requests that failed", guarded.failures, bare.failures)
    table.add("requests/s, mean", *(f"{mean(each.throughput):.1f}" for each in (guarded, bare)))
    table.add(f"s to open {AT_ONCE} connections", *(f"{median(each.opening):.2f}" for each in (guarded, bare)))
    table.add("from turn to turn", *(f"+- {stdev(each.throughput):.1f}" for each in (guarded, bare)))
    table.add("median s of one among them", *(f"{median(each.under_load):.3f}" for each in (guarded, bare)))
    table.add("median ms of one alone", *(f"{median(each.alone) * 1000:.2f}" for each in (guarded, bare)))
    table.add("median ms without the engine", *(f"{median(each.listed) * 1000:.2f}" for each in (guarded, bare)))
    table.show()
    print(f"\nthroughput: {ratio:.3f}, promised at least {LEAST_THROUGHPUT}: {_kept(ratio >= LEAST_THROUGHPUT)}")
    print(f"added to one: {added:.2f} ms, promised under {MOST_ADDED_MS:.0f}: {_kept(added < MOST_ADDED_MS)}")
    print(f"added to one among {AT_ONCE}: {beside:.1f} ms")


def _kept(kept: bool) -> str:
    return "ok" if kept else "MISSED"


async def _measure(guarded: Server, bare: Server) -> None:
    for server in (guarded, bare):
        await server.load()
        server.throughput.clear()
        server.under_load.clear()
    order = [guarded, bare, bare, guarded] * (TURNS // 2)
    for turn, server in enumerate(order):
        print(f"turn {turn + 1} of {len(order)} ...", file=sys.stderr, flush=True)
        await server.load()
    async with guarded.session() as one, bare.session() as other:
        pair = [(guarded, one), (bare, other)]
        for server, session in pair:
            # The first one of a connection makes it.
            await server.ask(session, 0)
        for number in range(ONE_BY_ONE):
            for server, session in pair if number % 2 else reversed(pair):
                server.alone.append(await server.ask(session, number))
        for number in range(LISTS):
            for server, session in pair if number % 2 else reversed(pair):
                server.listed.append(await server.list_models(session))


@contextmanager
def _servers(folder: Path) -> Iterator[tuple[Server, Server]]:
    with local_cloud(folder / "cloud") as cloud, project(folder, cloud) as made:
        made.configure(
            apiUrl=cloud.url, hfEndpoint=cloud.url, sshPort=2222, maxModelLen=512, vllmArgs=FLAGS,
            allowedCidrs=["127.0.0.0/8"],
        )  # fmt: skip
        print("a stack, and its server again with a bare port besides ...", file=sys.stderr, flush=True)
        made.up()
        outputs = made.outputs()
        host, headers = urlsplit(outputs["endpoint"]).hostname, {"Authorization": f"Bearer {outputs['api_key']}"}
        tls = ssl.create_default_context(cadata=outputs["ca_certificate"])
        running = _running(cloud.home(outputs["instance_id"]))
        with _suspended(running), _with_second_door(running, folder / "server.log"):
            guarded = Server(f"https://{host}:{PORT}/v1", headers, tls, outputs["model"])
            bare = Server(f"http://{host}:{BARE_PORT}/v1", {}, True, outputs["model"])
            for server in (guarded, bare):
                asyncio.run(_until_ready(server))
            yield guarded, bare
        made.destroy()


def _running(home: Path) -> psutil.Process:
    (server,) = (
        process
        for process in psutil.process_iter(["cmdline"])
        if str(home) in (command := " ".join(process.info["cmdline"] or [])) and "--middleware" in command
    )
    return server


@contextmanager
def _suspended(server: psutil.Process) -> Iterator[None]:
    """Without any processor time: an idle vLLM on a CPU looks for work with a whole core for minutes."""
    family = [server, *server.children(recursive=True)]
    for process in family:
        process.suspend()
    try:
        yield
    finally:
        for process in family:
            process.resume()


@contextmanager
def _with_second_door(like: psutil.Process, log: Path) -> Iterator[None]:
    """The stack's own command, with one middleware more; the one that is named first is the innermost."""
    words = like.cmdline()
    place = words.index("--middleware")
    door = ["--middleware", "second_door.SecondDoor"]
    command = [*words[:place], *door, *words[place:], "--port", str(PORT)]
    theirs = like.environ()
    search = f"{theirs['PYTHONPATH']}:{Path(__file__).parent}"
    with log.open("wb") as output:
        server = subprocess.Popen(
            command,
            env={**theirs, "PYTHONPATH": search, PORT_VARIABLE: str(BARE_PORT)},
            cwd=like.cwd(),
            stdout=output,
            stderr=output,
        )
    try:
        yield
    finally:
        family = psutil.Process(server.pid).children(recursive=True)
        server.terminate()
        server.wait(60)
        for process in family:
            if process.is_running():
                process.kill()


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
    sys.exit(f"{server.url} does not answer within {START_S:.0f} s")


if __name__ == "__main__":
    main()
