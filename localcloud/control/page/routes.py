"""The page's files over HTTP."""

from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler

from localcloud.control.guard import guarded

_FILES = {"/": "page.html", "/page.css": "page.css", "/page.js": "page.js"}

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
}
"""Nothing from elsewhere, and not inside a frame, where another page could place its buttons over ours."""


def page_routes() -> list[web.RouteDef]:
    """The page, to be added to an application beside the hub, which has nothing at these paths."""
    return [web.get(path, guarded(_serving(name))) for path, name in _FILES.items()]


def _serving(name: str) -> Handler:
    async def serve_page(_request: web.Request) -> web.FileResponse:
        return web.FileResponse(Path(__file__).with_name(name), headers=_HEADERS)

    return serve_page
