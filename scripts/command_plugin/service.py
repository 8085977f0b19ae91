"""`pulumirpc.ResourceProvider`, as the engine of CLI 3.259 calls it."""

# The names of the methods are the protocol's.
# ruff: noqa: N802

import asyncio
from collections.abc import Callable
from typing import Any, NoReturn

import grpc
from google.protobuf import empty_pb2  # type: ignore[import-untyped]
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from . import VERSION
from .engine import Engine
from .errors import RemoteError
from .inputs import changed_keys, failures, with_defaults
from .operation import Operation
from .properties import UNKNOWN, Properties, from_wire, to_wire
from .resources import RESOURCES, Resource
from .secrets import CONNECTION_SECRETS, plain, secret_paths, with_secrets

ANNOUNCEMENT = (
    f"remote commands run through the local cloud's stand-in for the plugin pulumi-resource-command {VERSION}, "
    "which could not be had here"
)


class CommandService(provider_pb2_grpc.ResourceProviderServicer):
    """Serves one engine. Calls run side by side; only the dialling can be cancelled."""

    def __init__(self, engine: Engine, on_cancel: Callable[[], None]) -> None:
        self._engine = engine
        self._on_cancel = on_cancel
        self._cancelled = asyncio.Event()
        self._announced = False

    async def Handshake(self, request: Any, context: Any) -> provider_pb2.ProviderHandshakeResponse:
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True, accept_resources=False)

    async def GetPluginInfo(self, request: Any, context: Any) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=VERSION)

    async def CheckConfig(self, request: Any, context: Any) -> provider_pb2.CheckResponse:
        return provider_pb2.CheckResponse(inputs=request.news)

    async def DiffConfig(self, request: Any, context: Any) -> provider_pb2.DiffResponse:
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    async def Configure(self, request: Any, context: Any) -> provider_pb2.ConfigureResponse:
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

    async def Check(self, request: Any, context: Any) -> provider_pb2.CheckResponse:
        resource = await _resource(request.urn, context)
        sent = from_wire(request.news)
        news = with_defaults(resource.inputs, plain(sent))
        # Without a property name the engine does not print the value, which may be a whole connection.
        problems = [provider_pb2.CheckFailure(property="", reason=reason) for reason in failures(resource.inputs, news)]
        inputs = with_secrets(news, secret_paths(sent) | CONNECTION_SECRETS)
        return provider_pb2.CheckResponse(inputs=to_wire(inputs), failures=problems)

    async def Diff(self, request: Any, context: Any) -> provider_pb2.DiffResponse:
        resource = await _resource(request.urn, context)
        changed = changed_keys(resource.inputs, plain(from_wire(request.olds)), plain(from_wire(request.news)))
        return provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_SOME if changed else provider_pb2.DiffResponse.DIFF_NONE,
            diffs=changed,
            replaces=[key for key in changed if key == "triggers"],
        )

    async def Create(self, request: Any, context: Any) -> provider_pb2.CreateResponse:
        resource = await _resource(request.urn, context)
        news = from_wire(request.properties)
        if request.preview:
            return provider_pb2.CreateResponse(properties=to_wire(_previewed(resource, news)))
        operation = await self._operation(request)
        try:
            state = await resource.create(operation, plain(news))
        except RemoteError as error:
            await _fail(context, error)
        properties = to_wire(with_secrets(state, secret_paths(news)))
        return provider_pb2.CreateResponse(id=resource.new_id(_name(request.urn)), properties=properties)

    async def Update(self, request: Any, context: Any) -> provider_pb2.UpdateResponse:
        resource = await _resource(request.urn, context)
        news = from_wire(request.news)
        if request.preview:
            return provider_pb2.UpdateResponse(properties=to_wire(_previewed(resource, news)))
        operation = await self._operation(request)
        try:
            state = await resource.update(operation, plain(from_wire(request.olds)), plain(news))
        except RemoteError as error:
            await _fail(context, error)
        return provider_pb2.UpdateResponse(properties=to_wire(with_secrets(state, secret_paths(news))))

    async def Delete(self, request: Any, context: Any) -> empty_pb2.Empty:
        resource = await _resource(request.urn, context)
        operation = await self._operation(request)
        try:
            await resource.delete(operation, plain(from_wire(request.properties)))
        except RemoteError as error:
            await _fail(context, error)
        return empty_pb2.Empty()

    async def Read(self, request: Any, context: Any) -> provider_pb2.ReadResponse:
        """The state as it was: nothing on the host is looked at.

        What an earlier stand-in wrote without the marks within a connection gets them here, by a refresh.
        """
        properties, inputs = (_with_marks(from_wire(struct)) for struct in (request.properties, request.inputs))
        return provider_pb2.ReadResponse(id=request.id, properties=to_wire(properties), inputs=to_wire(inputs))

    async def Cancel(self, request: Any, context: Any) -> empty_pb2.Empty:
        """Gives up dialling; what runs on a host goes on to its end."""
        self._cancelled.set()
        self._on_cancel()
        return empty_pb2.Empty()

    async def _unimplemented(self, request: Any, context: Any) -> None:
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "not served by the stand-in for pulumi-resource-command")

    Attach = Call = Construct = GetMapping = GetMappings = GetSchema = Invoke = Parameterize = _unimplemented

    async def _operation(self, request: Any) -> Operation:
        if not self._announced:
            self._announced = True
            await self._engine.info(ANNOUNCEMENT)
        return Operation(request.urn, self._engine, self._cancelled, request.timeout or None)


def _previewed(resource: Resource, inputs: dict[str, Any]) -> dict[str, Any]:
    return {**inputs, **dict.fromkeys(resource.computed, UNKNOWN)}


def _with_marks(properties: Properties) -> Properties:
    return with_secrets(plain(properties), secret_paths(properties) | CONNECTION_SECRETS)


async def _resource(urn: str, context: Any) -> Resource:
    token = urn.split("::")[2].rpartition("$")[2]
    resource = RESOURCES.get(token)
    if resource is None:
        served = " and ".join(RESOURCES)
        reason = f"the stand-in for pulumi-resource-command serves {served}, not {token}; install the official plugin"
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, reason)
        raise AssertionError("abort() does not return")
    return resource


def _name(urn: str) -> str:
    return urn.split("::", maxsplit=3)[3]


async def _fail(context: Any, error: RemoteError) -> NoReturn:
    await context.abort(grpc.StatusCode.UNKNOWN, str(error))
    raise AssertionError("abort() does not return")
