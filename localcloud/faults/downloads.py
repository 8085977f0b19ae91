"""Faults of the hub: refusals, and files that do not arrive as they are.

A file that suffers comes as a whole, whatever range was asked for, which HTTP allows.
"""

from collections.abc import Iterator

from aiohttp import web

from localcloud.faults.call import Call, Strike
from localcloud.hub.files import HubFile

PIECES = 20
"""In how many steps a slow file comes."""


def refuse(status: int, message: str, code: str | None = None) -> Strike:
    """The hub, or what stands before it, refuses; clients tell by the status and by the hub's `code`, where it has one.

    With a time, it asks to wait for so long.
    """

    async def strike(call: Call) -> web.StreamResponse:
        headers = {"X-Error-Message": message}
        if code:
            headers["X-Error-Code"] = code
        if call.seconds:
            headers["Retry-After"] = str(round(call.seconds))
        return web.json_response({"error": message}, status=status, headers=headers)

    return strike


async def slow(call: Call) -> web.StreamResponse:
    """The file comes piece by piece, evenly over the time."""
    return await _send(call, call.seconds / PIECES)


async def truncated(call: Call) -> web.StreamResponse:
    """Half of the file comes, of as much as was announced."""
    return await _send(call, 0.0, share=0.5)


async def wrong_bytes(call: Call) -> web.StreamResponse:
    """The file comes in its full length, with one byte in the middle that is not the right one."""
    return await _send(call, 0.0, is_wrong=True)


async def _send(call: Call, pause: float, share: float = 1.0, is_wrong: bool = False) -> web.StreamResponse:
    """Send the file that was asked for; a refusal goes out as it is."""
    said = await call.handler(call.request)
    if not isinstance(said, HubFile):
        return said
    body = bytearray(said.file.read_bytes())
    if is_wrong and body:
        body[len(body) // 2] ^= 0xFF
    answer = web.StreamResponse(headers=said.headers)
    answer.content_length = len(body)
    await answer.prepare(call.request)
    for piece in _pieces(bytes(body[: int(len(body) * share)])):
        if not (call.is_listened_to() and await call.delays.wait(pause)):
            return call.hang_up()
        await answer.write(piece)
    if share < 1.0:
        call.hang_up()
    return answer


def _pieces(body: bytes) -> Iterator[bytes]:
    size = max(1, -(-len(body) // PIECES))
    return (body[start : start + size] for start in range(0, len(body), size))
