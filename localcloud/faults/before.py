"""Faults before the act: the cloud has done nothing."""

from collections.abc import Callable

from aiohttp import web

from localcloud.api.edge import html_page, too_many_requests
from localcloud.api.errors import ApiError
from localcloud.faults.call import Call, Strike


def refuse_with(error: Callable[[], ApiError]) -> Strike:
    """Says this error of the API."""

    async def refuse(_call: Call) -> web.StreamResponse:
        raise error()

    return refuse


async def drop_before(call: Call) -> web.StreamResponse:
    """The connection ends without an answer."""
    return call.hang_up()


async def error_429(_call: Call) -> web.StreamResponse:
    """The edge has had enough; its answer is text."""
    return too_many_requests()


async def html(_call: Call) -> web.StreamResponse:
    """The edge cannot reach the API, and says so to people."""
    return html_page(502, "Bad gateway")
