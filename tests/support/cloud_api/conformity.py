"""Schemathesis against a local cloud: what it asked, and what it found wrong."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import schemathesis
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from hypothesis import strategies as st
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema

from localcloud.account.catalogue import DEFAULT_FAMILY, INSTANCE_TYPES, REGIONS
from localcloud.account.records import SshKeyRecord
from localcloud.account.state import StateDirectory
from localcloud.cloud import Cloud
from localcloud.machines.none import NoMachines
from localcloud.server import make_app, open_cloud
from tests.support.cloud_api.account import PUBLIC_KEY
from tests.support.cloud_api.deviations import amend, operations_that_may_refuse
from tests.support.cloud_api.document import add_links, keep_linked, narrow_launches, read_document
from tests.support.jumping_clock import JumpingClock

SECONDS_A_REQUEST = 10.0
"""Instances pass through all their states while they are asked about: time passes by the requests."""

KEY_NAME = "conformity"

PHASES = ("examples", "coverage", "fuzzing", "stateful")

REFUSAL_TOO = ["2xx", "400", "401", "404", "409"]

schemathesis.openapi.format(
    "ipv4network",
    st.builds(lambda network, bits: str(network) + bits, st.ip_addresses(v=4), st.sampled_from(["", "/32"]))
    | st.just("0.0.0.0/0"),
)


@dataclass
class Findings:
    """What came of a run."""

    requests: int = 0
    operations: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)


def explore(url: str, api_key: str, phase: str, examples: int, seed: int) -> Findings:
    """Let one phase of schemathesis loose on the API, with at most so many examples an operation."""
    document = amend(read_document())
    key = {"type": "string"} if phase == "stateful" else {"type": "string", "enum": [KEY_NAME]}
    narrow_launches(document, key, list(INSTANCE_TYPES), DEFAULT_FAMILY)
    if phase == "stateful":
        add_links(document)
        keep_linked(document)
    schema = schemathesis.openapi.from_dict(document, config=_config(url, api_key, phase, examples, seed))
    findings = Findings()
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            _add(findings, event)
        elif isinstance(event, events.NonFatalError):
            findings.problems.append(f"{event.label}: {event.value!r}")
        elif isinstance(event, events.FatalError):
            raise event.exception
    return findings


def _config(url: str, api_key: str, phase: str, examples: int, seed: int) -> SchemathesisConfig:
    refusable = {
        "include-operation-id": operations_that_may_refuse(),
        "checks": {"positive_data_acceptance": {"expected-statuses": REFUSAL_TOO}},
    }
    # Only our links are followed, not those that are guessed, and a chain goes on only after what succeeds.
    chains = {
        "enabled": phase == "stateful",
        "inference": {"algorithms": []},
        "generation": {"mode": "positive"},
        "max-steps": 10,
    }
    return SchemathesisConfig.from_dict(
        {
            "seed": seed,
            "base-url": url,
            "headers": {"Authorization": f"Bearer {api_key}"},
            "workers": 1,
            "continue-on-failure": True,
            "cache": {"enabled": False},
            "generation": {
                "mode": "all",
                "max-examples": examples,
                "deterministic": True,
                "no-shrink": True,
                "database": "none",
            },
            "phases": {name: {"enabled": name == phase} for name in PHASES} | {"stateful": chains},
            "operations": [refusable],
        }
    )


def _add(findings: Findings, event: events.ScenarioFinished) -> None:
    for case_id, node in event.recorder.cases.items():
        findings.requests += 1
        findings.operations.add(node.value.operation.label)
        for check in event.recorder.checks.get(case_id, []):
            if check.failure_info is not None:
                failure = check.failure_info.failure
                answer = event.recorder.interactions[case_id].response
                said = answer.content[:300] if answer else b""
                findings.problems.append(
                    f"{check.name}: {failure.title} {failure.message}\n{check.failure_info.code_sample}\n{said!r}"
                )


def _furnish(cloud: Cloud) -> None:
    """Give a new account a key, and let it launch anything anywhere."""
    cloud.store.ssh_keys.put(SshKeyRecord(id="f" * 32, name=KEY_NAME, public_key=PUBLIC_KEY))
    for name in INSTANCE_TYPES:
        cloud.capacity.restrict(name, list(REGIONS))


def _passing(clock: JumpingClock) -> Middleware:
    """Has time pass before each request."""

    @web.middleware
    async def let_pass(request: web.Request, handler: Handler) -> web.StreamResponse:
        await clock.pass_by(SECONDS_A_REQUEST)
        return await handler(request)

    return let_pass


@contextmanager
def served(state: Path) -> Iterator[tuple[str, str]]:
    """A local cloud without machines and limits on a thread of its own; its URL and its key."""
    loop = asyncio.new_event_loop()
    ready: list[tuple[str, str]] = []
    is_ready, done = threading.Event(), asyncio.Event()

    async def serve() -> None:
        clock = JumpingClock()
        async with open_cloud(StateDirectory(state), NoMachines(), 1.0, clock=clock) as cloud:
            _furnish(cloud)
            app = make_app(cloud, [], "off")
            app.middlewares.insert(0, _passing(clock))
            runner = web.AppRunner(app, access_log=None)
            await runner.setup()
            try:
                await web.TCPSite(runner, "127.0.0.1", 0).start()
                ready.append((f"http://127.0.0.1:{runner.addresses[0][1]}", cloud.credentials.api_key))
                is_ready.set()
                await done.wait()
            finally:
                await runner.cleanup()

    def run() -> None:
        try:
            loop.run_until_complete(serve())
        finally:
            is_ready.set()

    thread = threading.Thread(target=run)
    thread.start()
    is_ready.wait()
    try:
        yield ready[0]
    finally:
        if not loop.is_closed():
            loop.call_soon_threadsafe(done.set)
        thread.join()
        loop.close()
