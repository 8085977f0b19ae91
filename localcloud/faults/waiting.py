"""The faults still to come."""

from collections.abc import Collection
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from pydantic import BaseModel, ConfigDict, Field

from localcloud.faults.call import Call
from localcloud.faults.delays import Delays
from localcloud.faults.kinds import KINDS, kind_for
from localcloud.journal import operation_of


class Fault(BaseModel):
    """The next `times` calls of `operation` suffer a fault of a kind; `seconds` is None for the kind's own."""

    model_config = ConfigDict(extra="forbid")

    operation: str
    kind: str
    times: int = Field(default=1, ge=1)
    seconds: float | None = Field(default=None, ge=0, allow_inf_nan=False)


@dataclass
class Faults:
    """The faults of one cloud, in the order in which they were asked for."""

    waiting: list[Fault] = field(default_factory=list)
    delays: Delays = field(default_factory=Delays)

    def add(self, fault: Fault, operations: Collection[str]) -> Fault:
        """Let it come, after those asked for before; the fault with its seconds filled in.

        Raises:
            ValueError: one line: it can never come, because it is none of the `operations` or has no such kind.
        """
        if fault.operation not in operations:
            raise ValueError(f"operation '{fault.operation}' is not one of {', '.join(sorted(operations))}")
        kind = kind_for(fault.operation, fault.kind)
        if fault.seconds is None:
            fault.seconds = kind.seconds
        elif kind.seconds is None:
            raise ValueError(f"seconds: kind '{fault.kind}' takes none")
        self.waiting.append(fault)
        return fault

    def take(self, operation: str) -> Fault | None:
        """The fault that the next call of an operation suffers; one of its times is used up by asking."""
        fault = next((one for one in self.waiting if one.operation == operation), None)
        if fault is None:
            return None
        fault.times -= 1
        if fault.times == 0:
            self.waiting.remove(fault)
        return fault

    def middleware(self) -> Middleware:
        """Stands between the API's checks and the endpoint, so that a refused call uses up no fault."""

        @web.middleware
        async def fail(request: web.Request, handler: Handler) -> web.StreamResponse:
            fault = self.take(operation_of(request))
            if fault is None:
                return await handler(request)
            return await KINDS[fault.kind].strike(Call(request, handler, fault.seconds or 0.0, self.delays))

        return fail
