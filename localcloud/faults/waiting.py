"""The faults still to come."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from localcloud.clock import SYSTEM_CLOCK, Clock
from localcloud.control.journal import operation_of
from localcloud.faults.call import Call
from localcloud.faults.delays import Delays
from localcloud.faults.fault import Fault
from localcloud.faults.kinds import KINDS
from localcloud.faults.operations import HUB, SSH
from localcloud.faults.sender import machine_that_sent
from localcloud.paths import API_PREFIX, CONTROL_PREFIX


@dataclass
class Faults:
    """The faults of one cloud, in the order in which they were asked for."""

    clock: Clock = SYSTEM_CLOCK
    waiting: list[Fault] = field(default_factory=list)
    delays: Delays = field(init=False)
    has_ssh: bool = False
    """Whether the machines of this cloud have SSH that can go wrong."""
    has_small_disks: bool = False
    """Whether a machine can have a disk of its own, of any size."""

    def __post_init__(self) -> None:
        self.delays = Delays(self.clock)

    def add(self, fault: Fault, operations: Collection[str]) -> Fault:
        """Let it come, after those asked for before; the fault with everything filled in.

        Raises:
            ValueError: one line: it can never come, because it is none of the `operations`, has no such kind, or the
                machines of this cloud cannot play it.
        """
        known = {*operations, *HUB, *SSH}
        if fault.operation not in known:
            raise ValueError(f"operation '{fault.operation}' is not one of {', '.join(sorted(known))}")
        if fault.operation in SSH and not self.has_ssh:
            raise ValueError(f"operation '{fault.operation}': only with --machines process")
        if fault.kind == "disk-full" and not self.has_small_disks:
            raise ValueError("kind 'disk-full': needs --machines process and a local cloud that runs as root")
        fault.complete()
        self.waiting.append(fault)
        return fault

    def take(self, operations: Collection[str], instance: str | None = None) -> Fault | None:
        """The fault that the next call suffers, of a machine when `instance` names it; asking uses up one of its times.

        Only one strikes; one that has a probability and does not come up lets the next one try.
        """
        for fault in self.waiting:
            if fault.operation in operations and fault.is_for(instance) and fault.comes_up():
                if fault.use_up():
                    self.waiting.remove(fault)
                return fault
        return None

    def middleware(self) -> Middleware:
        """Stands between the API's checks and the endpoint, so that a refused call uses up no fault."""

        @web.middleware
        async def fail(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._strike(self.take({operation_of(request)}), request, handler)

        return fail

    def hub_middleware(self) -> Middleware:
        """Stands before the hub; what is not for the hub passes."""

        @web.middleware
        async def fail(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.path.startswith((API_PREFIX + "/", CONTROL_PREFIX + "/")):
                return await handler(request)
            return await self._strike(await self._take_for_hub(request), request, handler)

        return fail

    async def _take_for_hub(self, request: web.Request) -> Fault | None:
        operations = {"hub"}
        if operation_of(request) == "resolve" and request.method == "GET":
            operations.add("hub-file")
        sender = None
        if any(one.instance and one.operation in operations for one in self.waiting):
            sender = await asyncio.to_thread(machine_that_sent, request)
        return self.take(operations, sender)

    async def _strike(self, fault: Fault | None, request: web.Request, handler: Handler) -> web.StreamResponse:
        if fault is None:
            return await handler(request)
        strike = KINDS[fault.kind].strike
        assert strike is not None
        return await strike(Call(request, handler, fault.seconds or 0.0, self.delays, fault.after_bytes))
