"""Faults of the act itself: a launch or a termination that does not come out as it should.

The mark travels with the request; the endpoint writes it into the record of the instance, where it outlives a restart.
"""

from dataclasses import dataclass

from aiohttp import web

from localcloud.account.records import Status
from localcloud.faults.call import Call, Strike

SMALL_DISK_BYTES = 64 * 1024 * 1024
"""Room to boot and to begin an install."""


@dataclass(frozen=True)
class LaunchMark:
    """What becomes of the instance that a launch makes."""

    boot_ends_in: Status | None = None
    """The state it turns into instead of getting an address; `booting` is for ever. None for a usual boot."""
    hidden_seconds: float = 0.0
    """How long the API does not know it."""
    preempted_after_seconds: float | None = None
    """How long after it became active it is taken away; None for never."""
    disk_bytes: int | None = None
    """How much its disk holds; None for as much as there is."""


@dataclass(frozen=True)
class TerminateMark:
    """What becomes of a termination."""

    is_ignored: bool = False
    extra_seconds: float = 0.0
    """How much longer than usual it takes."""


LAUNCH_MARK = web.RequestKey("launch_mark", LaunchMark)
TERMINATE_MARK = web.RequestKey("terminate_mark", TerminateMark)


def boot_ends_in(status: Status) -> Strike:
    """The instance never gets an address and is in this state from the moment it would have."""

    async def mark(call: Call) -> web.StreamResponse:
        call.request[LAUNCH_MARK] = LaunchMark(boot_ends_in=status)
        return await call.answer()

    return mark


async def invisible(call: Call) -> web.StreamResponse:
    """For a while the API does not know the instance, which boots and is billed."""
    call.request[LAUNCH_MARK] = LaunchMark(hidden_seconds=call.seconds)
    return await call.answer()


async def preempted(call: Call) -> web.StreamResponse:
    """The instance boots, is active for a while, and is taken away."""
    call.request[LAUNCH_MARK] = LaunchMark(preempted_after_seconds=call.seconds)
    return await call.answer()


async def disk_full(call: Call) -> web.StreamResponse:
    """The instance has a disk that is soon full."""
    size = SMALL_DISK_BYTES if call.after_bytes is None else call.after_bytes
    call.request[LAUNCH_MARK] = LaunchMark(disk_bytes=size)
    return await call.answer()


async def ignored(call: Call) -> web.StreamResponse:
    """The termination is confirmed and never happens."""
    call.request[TERMINATE_MARK] = TerminateMark(is_ignored=True)
    return await call.answer()


async def slow(call: Call) -> web.StreamResponse:
    """The termination takes longer."""
    call.request[TERMINATE_MARK] = TerminateMark(extra_seconds=call.seconds)
    return await call.answer()
