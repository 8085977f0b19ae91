"""The server of a test session: `python -m localcloud.testing`, started by `Accounts` and of no use to people."""

import argparse
import asyncio
import os
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from localcloud import cli
from localcloud.account import credentials
from localcloud.account.state import StateDirectory
from localcloud.background import destroy_machines
from localcloud.errors import LocalCloudError
from localcloud.server import Settings, serving, stop_signal
from localcloud.testing.messages import Answer, Order

MEMORY = Path("/dev/shm")  # noqa: S108  # a folder with a random name of its own is made in it


class OneAccount:
    """At most one account at a time, each a whole local cloud with a port and a folder of its own.

    So a new one needs no cleaning of an old one, which could forget something, and nothing that still knows the old
    one reaches the new one: its port is closed, and its key is wrong everywhere else.
    """

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self._folder = folder
        self._options = options
        self._number = 0
        self._open = AsyncExitStack()

    async def fresh(self) -> Answer:
        """Close the account before and open another."""
        await self.close()
        self._number += 1
        state = StateDirectory(self._folder / str(self._number))
        self._open.push_async_callback(self._clear, state)
        running = await self._open.enter_async_context(serving(self._settings(state)))
        secrets = credentials.read(state.credentials)
        return Answer(url=running.url, ssh_port=running.ssh_port, **secrets.model_dump())

    async def close(self) -> None:
        """Close the account if one is open; its machines end and its folder goes."""
        await self._open.aclose()

    def _settings(self, state: StateDirectory) -> Settings:
        return Settings(
            state=state,
            host="127.0.0.1",
            port=0,
            machines=self._options.machines,
            time_scale=self._options.time_scale,
            rate_limit=self._options.rate_limit,
            accelerator=None,
        )

    async def _clear(self, state: StateDirectory) -> None:
        if self._options.machines != "none":
            await destroy_machines(state)
        state.remove()


def main() -> int:
    """Serve until the pipe on stdin is closed or a signal says so; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m localcloud.testing")
    parser.add_argument("--machines", choices=["process", "none"], required=True)
    parser.add_argument("--time-scale", type=cli.time_scale, required=True)
    parser.add_argument("--rate-limit", type=cli.rate_limit, required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="localcloud-tests-", dir=_folders(options.machines)) as folder:
        asyncio.run(_serve(OneAccount(Path(folder), options)))
    return 0


def _folders(machines: str) -> Path | None:
    """Where the folder of the accounts is made; None for the usual place of temporary files, which TMPDIR names.

    Accounts without machines are small and lie in memory: on a busy disk SQLite takes 50 ms and more to close one.
    """
    if machines == "none" and "TMPDIR" not in os.environ and os.access(MEMORY, os.W_OK):
        return MEMORY
    return None


async def _serve(account: OneAccount) -> None:
    asked = stop_signal()
    orders = asyncio.create_task(_carry_out_orders(account))
    stopped = asyncio.create_task(asked.wait())
    try:
        await asyncio.wait([orders, stopped], return_when=asyncio.FIRST_COMPLETED)
    finally:
        orders.cancel()
        stopped.cancel()
        await asyncio.gather(orders, stopped, return_exceptions=True)
        await account.close()


async def _carry_out_orders(account: OneAccount) -> None:
    """Until nobody is there any more to give one."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        answer = await _carry_out(account, Order.model_validate_json(line))
        try:
            print(answer.model_dump_json(), flush=True)
        except BrokenPipeError:
            return


async def _carry_out(account: OneAccount, order: Order) -> Answer:
    try:
        if order.open:
            return await account.fresh()
        await account.close()
    except (LocalCloudError, OSError) as error:
        return Answer(error=" ".join(str(error).split()))
    return Answer()


if __name__ == "__main__":
    sys.exit(main())
