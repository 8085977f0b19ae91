"""Who may use the API: the one key of the account."""

import base64
import binascii
import hmac

from aiohttp import web
from aiohttp.typedefs import Handler

from localcloud.api.errors import invalid_api_key
from localcloud.cloud import cloud_of


@web.middleware
async def authenticate(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let only the account's key through: as Bearer, as Basic user name, or as Basic without encoding."""
    header = request.headers.get("Authorization", "")
    if not header:
        raise invalid_api_key("No API key was provided.")
    scheme, _, value = header.partition(" ")
    key = cloud_of(request).credentials.api_key
    if not any(hmac.compare_digest(key.encode(), given) for given in _keys(scheme.lower(), value.strip())):
        raise invalid_api_key("API key was invalid, expired, or deleted.")
    return await handler(request)


def _keys(scheme: str, value: str) -> list[bytes]:
    """What the header may mean as a key."""
    plain = value.encode(errors="surrogateescape")
    if scheme == "bearer":
        return [plain]
    if scheme != "basic":
        return []
    try:
        # The document also writes the colon after the encoded key.
        user, _, password = base64.b64decode(plain.removesuffix(b":"), validate=True).partition(b":")
    except binascii.Error:
        return [plain]
    return [plain] if password else [plain, user]
