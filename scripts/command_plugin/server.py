"""The life of the plugin process."""

import asyncio
import os
import signal

import grpc
from pulumi.runtime.proto import provider_pb2_grpc

from .engine import Engine
from .service import CommandService

ENGINE_CHECK_SECONDS = 1.0
# After a cancellation a running command may take as long as it likes, as with the official plugin.
DRAIN_SECONDS = 7 * 24 * 3600.0
GRPC_OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


async def serve(engine_address: str) -> None:
    """Print the port on the first line of stdout and serve until cancelled and idle, SIGTERM, or the engine's end."""
    engine = Engine(engine_address)
    server = grpc.aio.server(options=GRPC_OPTIONS)
    ended = asyncio.Event()
    background: list[asyncio.Task[None]] = [asyncio.create_task(_watch_engine(ended))]

    def drain() -> None:
        background.append(asyncio.create_task(_drain(server, ended)))

    provider_pb2_grpc.add_ResourceProviderServicer_to_server(CommandService(engine, drain), server)
    port = server.add_insecure_port("127.0.0.1:0")
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await server.start()
    print(port, flush=True)

    await ended.wait()
    for task in background:
        task.cancel()
    await server.stop(grace=None)
    await engine.close()


async def _watch_engine(ended: asyncio.Event) -> None:
    """The engine is this process's parent; once it is gone, even killed, another process takes that place."""
    engine = os.getppid()
    while os.getppid() == engine:
        await asyncio.sleep(ENGINE_CHECK_SECONDS)
    ended.set()


async def _drain(server: grpc.aio.Server, ended: asyncio.Event) -> None:
    await server.stop(grace=DRAIN_SECONDS)
    ended.set()
