"""A machine with a small server, and a stack for `ops` that leads there."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.ops_stack import (
    OpsStack,
    ssh_outputs,
    stack_with,
)
from tests.support.ops_terminal import SECONDS
from tests.support.process_machine import Machine, booted
from tests.support.small_openai import KEY, WORDS, SmallServer, small_server

ANSWER = "".join(WORDS)

CLOSED = "127.78.0.1"
"""An address of no machine: nothing takes connections there, as with a closed firewall."""

LOG = ".local/share/lambda-vllm/logs"

CLIENT = """
import openai
messages = [{"role": "user", "content": "?"}]
chunks = openai.OpenAI(max_retries=0).chat.completions.create(model="m", messages=messages, stream=True)
print("".join(chunk.choices[0].delta.content for chunk in chunks if chunk.choices))
"""


@dataclass
class Served:
    """A machine, a server on it and a stack that leads to them."""

    machine: Machine
    server: SmallServer
    stack: OpsStack


@asynccontextmanager
async def served(
    folder: Path, *, closed: bool = True, tls: bool = True, ca: str | None = None, host_key: str | None = None
) -> AsyncIterator[Served]:
    """With `closed` only SSH leads to the machine."""
    async with booted(folder) as machine:
        with small_server(machine.spec.ip, folder, tls=tls) as server:
            plain, secret = await ssh_outputs(machine, host_key)
            endpoint = server.endpoint.replace(machine.spec.ip, CLOSED) if closed else server.endpoint
            outputs = {"endpoint": endpoint, "model": "meta-llama/Llama-3.1-8B-Instruct", "price_per_hour": 2.29}
            if tls:
                outputs["ca_certificate"] = ca or server.ca
            stack = await asyncio.to_thread(stack_with, folder, {**plain, **outputs}, {**secret, "api_key": KEY})
            try:
                yield Served(machine, server, stack)
            finally:
                stack.end()


def run(scenario: Coroutine[None, None, None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, 800))


async def line_with(stream: asyncio.StreamReader | None, words: str) -> str:
    """The next line that has the words."""
    assert stream
    while True:
        line = (await asyncio.wait_for(stream.readline(), SECONDS)).decode()
        assert line, f"ended before it said {words!r}"
        if words in line:
            return line
