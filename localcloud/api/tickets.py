"""Support tickets, which the local cloud does not have."""

from aiohttp import web

from localcloud.api.errors import not_implemented


async def tickets(_request: web.Request) -> web.Response:
    """Says so, whatever was asked for."""
    raise not_implemented("support tickets")
