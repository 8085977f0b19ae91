"""The control side, /_localcloud: what happens to the cloud behind the program's back. No key, this computer only."""

from dataclasses import asdict
from typing import Annotated, Self

from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from localcloud.account.catalogue import INSTANCE_TYPES, REGIONS
from localcloud.account.quotas import Quotas
from localcloud.account.records import Status
from localcloud.cloud import cloud_of
from localcloud.control.guard import this_computer_only
from localcloud.control.journal import operation_name
from localcloud.control.overview import overview
from localcloud.control.summaries import fault_summary, instance_summary
from localcloud.faults.fault import Fault
from localcloud.faults.trouble import play


def control_app(operations: set[str]) -> web.Application:
    """The control side; faults can be asked for on `operations`. Failure is `{"error": line}`."""

    async def add_fault(request: web.Request) -> web.Response:
        fault = Fault.model_validate_json(await request.read())
        return web.json_response(fault_summary(cloud_of(request).faults.add(fault, operations)))

    async def play_scenario(request: web.Request) -> web.Response:
        choice = ScenarioChoice.model_validate_json(await request.read())
        faults = play(cloud_of(request), choice.name, choice.seed, operations)
        return web.json_response([fault_summary(fault) for fault in faults])

    app = web.Application(middlewares=[this_computer_only, _one_line_errors])
    app.add_routes(
        [
            web.post("/faults", add_fault),
            web.get("/faults", _list_faults),
            web.delete("/faults", _clear_faults),
            web.post("/scenario", play_scenario),
            web.get("/overview", overview(operations)),
            web.get("/requests", _list_requests),
            web.delete("/requests", _clear_requests),
            web.get("/instances", _list_instances),
            web.patch("/instances/{id}", _force_status),
            web.put("/capacity", _set_capacity),
            web.delete("/capacity", _forget_capacity),
            web.get("/capacity-drift", _show_drift),
            web.put("/capacity-drift", _set_drift),
            web.get("/quotas", _show_quotas),
            web.put("/quotas", _set_quotas),
            web.put("/prices", _set_price),
            web.put("/clock", _set_clock),
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
    """Where a type is to be had from now on: in `regions` as often as wanted, or so many more times as `left` says."""

    model_config = ConfigDict(extra="forbid")

    instance_type: KnownType
    regions: list[KnownRegion] | None = None
    left: dict[KnownRegion, Annotated[int, Field(ge=0)]] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.regions is None) == (self.left is None):
            raise ValueError("exactly one of 'regions' and 'left' is needed")
        return self


class DriftChange(BaseModel):
    """Capacity that comes and goes from now on; None ends it."""

    model_config = ConfigDict(extra="forbid")

    seed: int | None


class ScenarioChoice(BaseModel):
    """A named set of faults."""

    model_config = ConfigDict(extra="forbid")

    name: str
    seed: int = 0


class PriceChange(BaseModel):
    """What a type costs from now on, in US cents an hour."""

    model_config = ConfigDict(extra="forbid")

    instance_type: KnownType
    price_cents_per_hour: int = Field(ge=0)


class ClockChange(BaseModel):
    """How far the clock of Lambda's answers is ahead of this computer's from now on, in seconds."""

    model_config = ConfigDict(extra="forbid")

    ahead_seconds: float = Field(ge=-1e9, le=1e9, allow_inf_nan=False)


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


async def _list_faults(request: web.Request) -> web.Response:
    return web.json_response([fault_summary(fault) for fault in cloud_of(request).faults.waiting])


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
    return web.json_response([instance_summary(cloud, instance) for instance in cloud.store.instances.all()])


async def _force_status(request: web.Request) -> web.Response:
    change = StatusChange.model_validate_json(await request.read())
    cloud = cloud_of(request)
    return web.json_response(
        instance_summary(cloud, await cloud.lifecycle.force(request.match_info["id"], change.status))
    )


async def _set_capacity(request: web.Request) -> web.Response:
    change = CapacityChange.model_validate_json(await request.read())
    capacity = cloud_of(request).capacity
    if change.left is not None:
        capacity.limit(change.instance_type, change.left)
    else:
        capacity.restrict(change.instance_type, change.regions or [])
    return web.json_response(change.model_dump(exclude_none=True))


async def _forget_capacity(request: web.Request) -> web.Response:
    cloud_of(request).capacity.forget()
    return web.json_response({})


async def _show_drift(request: web.Request) -> web.Response:
    return web.json_response({"seed": cloud_of(request).capacity.drift.seed})


async def _set_drift(request: web.Request) -> web.Response:
    change = DriftChange.model_validate_json(await request.read())
    cloud_of(request).capacity.drift.seed = change.seed
    return web.json_response(change.model_dump())


async def _show_quotas(request: web.Request) -> web.Response:
    return web.json_response(cloud_of(request).allowance.quotas.model_dump())


async def _set_quotas(request: web.Request) -> web.Response:
    changed = Quotas.model_validate_json(await request.read())
    return web.json_response(cloud_of(request).allowance.change(changed).model_dump())


async def _set_price(request: web.Request) -> web.Response:
    change = PriceChange.model_validate_json(await request.read())
    cloud_of(request).prices.change(change.instance_type, change.price_cents_per_hour)
    return web.json_response(change.model_dump())


async def _set_clock(request: web.Request) -> web.Response:
    change = ClockChange.model_validate_json(await request.read())
    cloud_of(request).edge_date.ahead_seconds = change.ahead_seconds
    return web.json_response(change.model_dump())
