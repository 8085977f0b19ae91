"""Who may use the control side and the page: this computer, and no web page from elsewhere in a browser on it."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

_READS = frozenset({"GET", "HEAD"})


@web.middleware
async def this_computer_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuses others with 403 and one line."""
    return _refusal(request) or await handler(request)


def guarded(handler: Handler) -> Handler:
    """The same for one route outside the control side."""

    async def guard(request: web.Request) -> web.StreamResponse:
        return _refusal(request) or await handler(request)

    return guard


def _refusal(request: web.Request) -> web.Response | None:
    if request.remote is None or not ip_address(request.remote).is_loopback:
        return _refuse("the control side answers this computer only")
    # A foreign name that points here is how a web page elsewhere reads what is here (DNS rebinding).
    if not _is_loopback(_name(f"//{request.host}")):
        return _refuse("Host: the control side answers to localhost and to loopback addresses only")
    origin = request.headers.get("Origin")
    if origin is not None and origin != f"http://{request.host}":
        return _refuse("Origin: the control side takes nothing from other web pages")
    # Older browsers and curl do not send it; a browser does, even where it leaves Origin out.
    site = request.headers.get("Sec-Fetch-Site", "none")
    if request.method not in _READS and site not in {"none", "same-origin"}:
        return _refuse("Sec-Fetch-Site: the control side takes nothing from other web pages")
    return None


def _name(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _is_loopback(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def _refuse(line: str) -> web.Response:
    return web.json_response({"error": line}, status=403)
