"""The control side, /_localcloud: what happens to the cloud behind the program's back. No key, this computer only."""

from dataclasses import asdict
from typing import Annotated, Any

from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from localcloud.catalogue import INSTANCE_TYPES, REGIONS
from localcloud.cloud import Cloud, cloud_of
from localcloud.faults.waiting import Fault
from localcloud.guard import this_computer_only
from localcloud.journal import operation_name
from localcloud.overview import overview
from localcloud.records import InstanceRecord, Status


def control_app(operations: set[str]) -> web.Application:
    """The control side; faults can be asked for on `operations`. Failure is `{"error": line}`."""

    async def add_fault(request: web.Request) -> web.Response:
        fault = Fault.model_validate_json(await request.read())
        return web.json_response(cloud_of(request).faults.add(fault, operations).model_dump())

    app = web.Application(middlewares=[this_computer_only, _one_line_errors])
    app.add_routes(
        [
            web.post("/faults", add_fault),
            web.delete("/faults", _clear_faults),
            web.get("/overview", overview(operations)),
            web.get("/requests", _list_requests),
            web.delete("/requests", _clear_requests),
            web.get("/instances", _list_instances),
            web.patch("/instances/{id}", _force_status),
            web.put("/capacity", _set_capacity),
            web.put("/prices", _set_price),
        ]
    )
    return app


def operations_of(routes: list[web.RouteDef]) -> set[str]:
    """The names of the operations behind some routes."""
    return {operation_name(route.handler) for route in routes}


def _known_type(name: str) -> str:
    if name not in INSTANCE_TYPES:
        raise ValueError(f"there is no instance type '{name}'")
    return name


def _known_region(name: str) -> str:
    if name not in REGIONS:
        raise ValueError(f"there is no region '{name}'")
    return name


KnownType = Annotated[str, AfterValidator(_known_type)]
KnownRegion = Annotated[str, AfterValidator(_known_region)]


class CapacityChange(BaseModel):
    """Where a type is to be had from now on."""

    model_config = ConfigDict(extra="forbid")

    instance_type: KnownType
    regions: list[KnownRegion]


class PriceChange(BaseModel):
    """What a type costs from now on, in US cents an hour."""

    model_config = ConfigDict(extra="forbid")

    instance_type: KnownType
    price_cents_per_hour: int = Field(ge=0)


class StatusChange(BaseModel):
    """The state to force an instance into."""

    model_config = ConfigDict(extra="forbid")

    status: Status


@web.middleware
async def _one_line_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        return web.json_response({"error": f"{place}: {first['msg']}" if place else first["msg"]}, status=400)
    except ValueError as error:
        return web.json_response({"error": str(error)}, status=400)
    except LookupError as error:
        return web.json_response({"error": str(error)}, status=404)


async def _clear_faults(request: web.Request) -> web.Response:
    cloud_of(request).faults.waiting.clear()
    return web.json_response({})


async def _list_requests(request: web.Request) -> web.Response:
    return web.json_response([asdict(entry) for entry in cloud_of(request).journal.entries])


async def _clear_requests(request: web.Request) -> web.Response:
    cloud_of(request).journal.entries.clear()
    return web.json_response({})


async def _list_instances(request: web.Request) -> web.Response:
    cloud = cloud_of(request)
    return web.json_response([_summary(cloud, instance) for instance in cloud.store.instances.all()])


async def _force_status(request: web.Request) -> web.Response:
    change = StatusChange.model_validate_json(await request.read())
    cloud = cloud_of(request)
    return web.json_response(_summary(cloud, await cloud.lifecycle.force(request.match_info["id"], change.status)))


async def _set_capacity(request: web.Request) -> web.Response:
    change = CapacityChange.model_validate_json(await request.read())
    cloud_of(request).capacity.restrict(change.instance_type, change.regions)
    return web.json_response(change.model_dump())


async def _set_price(request: web.Request) -> web.Response:
    change = PriceChange.model_validate_json(await request.read())
    cloud_of(request).prices.change(change.instance_type, change.price_cents_per_hour)
    return web.json_response(change.model_dump())


def _summary(cloud: Cloud, instance: InstanceRecord) -> dict[str, Any]:
    """The form of `status --json`."""
    return {
        "id": instance.id,
        "name": instance.name,
        "status": instance.status,
        "ip": instance.ip,
        "region": instance.region,
        "instance_type": instance.instance_type,
        "price_cents_per_hour": cloud.prices.offer(instance.instance_type).price_cents_per_hour,
    }
