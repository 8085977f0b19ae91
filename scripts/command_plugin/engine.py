"""What the plugin tells the engine, and through it the user."""

import asyncio
from types import TracebackType
from typing import Self

import grpc
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc


class Engine:
    """The engine's log. A message that cannot be delivered is dropped: then there is nobody left to read it."""

    def __init__(self, address: str) -> None:
        self._channel = grpc.aio.insecure_channel(address, options=[("grpc.max_send_message_length", -1)])
        self._stub = engine_pb2_grpc.EngineStub(self._channel)

    async def info(self, message: str, urn: str = "") -> None:
        await self._log(engine_pb2.INFO, message, urn, ephemeral=False)

    async def warning(self, message: str, urn: str) -> None:
        await self._log(engine_pb2.WARNING, message, urn, ephemeral=False)

    async def status(self, message: str, urn: str) -> None:
        """Show the message beside the resource until the next one comes."""
        await self._log(engine_pb2.INFO, message, urn, ephemeral=True)

    async def close(self) -> None:
        await self._channel.close()

    async def _log(self, severity: "engine_pb2.LogSeverity.ValueType", message: str, urn: str, ephemeral: bool) -> None:
        request = engine_pb2.LogRequest(severity=severity, message=message, urn=urn, ephemeral=ephemeral)
        try:
            await self._stub.Log(request)
        except grpc.aio.AioRpcError:
            return


class StatusLines:
    """Shows output lines as status messages, in order, while their command runs; leaving waits for the last one."""

    def __init__(self, engine: Engine, urn: str) -> None:
        self._engine = engine
        self._urn = urn
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()

    def show(self, lines: list[str]) -> None:
        for line in lines:
            self._lines.put_nowait(line)

    async def __aenter__(self) -> Self:
        self._sender = asyncio.create_task(self._send())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lines.put_nowait(None)
        await self._sender

    async def _send(self) -> None:
        while (line := await self._lines.get()) is not None:
            await self._engine.status(line, self._urn)
