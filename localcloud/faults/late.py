"""Faults of time: the cloud acts late, or answers late."""

from aiohttp import web

from localcloud.faults.call import Call

POLL_SECONDS = 0.1
"""How often a late answer looks whether its client is still there."""


async def delay_before(call: Call) -> web.StreamResponse:
    """The cloud gets the call late and acts then, whether or not the client is still there; never after its own end."""
    # Read now, because a body that nobody has read goes away with its client.
    await call.request.read()
    return await call.delays.outlive_client(_late(call))


async def _late(call: Call) -> web.StreamResponse:
    if await call.delays.wait(call.seconds):
        return await call.answer()
    return call.hang_up()


async def delay_after(call: Call) -> web.StreamResponse:
    """The cloud acts at once and answers late. A client that has gone away waits no more, and its call is over."""
    answer = await call.answer()
    clock = call.delays.clock
    deadline = clock.monotonic() + call.seconds
    while call.is_listened_to() and (left := deadline - clock.monotonic()) > 0:
        if not await call.delays.wait(min(left, POLL_SECONDS)):
            return call.hang_up()
    return answer
