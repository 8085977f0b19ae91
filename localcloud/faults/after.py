"""Faults after the act: what the API said, a refusal too, does not arrive as it was said."""

import json
from typing import Any

from aiohttp import web

from localcloud.api.edge import html_page
from localcloud.api.envelope import error_response
from localcloud.api.errors import internal_error
from localcloud.control.journal import operation_of
from localcloud.faults.call import Call

UNKNOWN_FIELDS: dict[str, object] = {
    "unknown_flag": None,
    "unknown_list": [1.5, None, "", {"nested": []}],
}
"""What an API of tomorrow may say, in types that nobody expects."""

UNKNOWN_STATUS = "migrating"


async def drop_after(call: Call) -> web.StreamResponse:
    """The connection ends without an answer."""
    await call.answer()
    return call.hang_up()


async def error_500_after(call: Call) -> web.StreamResponse:
    """The API says that it failed."""
    await call.answer()
    return error_response(internal_error())


async def html_after(call: Call) -> web.StreamResponse:
    """Something between answers for the API, with success."""
    await call.answer()
    return html_page(200, "Just a moment...")


async def truncated(call: Call) -> web.StreamResponse:
    """Half of the body arrives, of as much as was announced."""
    body = _body(await call.answer())
    answer = web.StreamResponse(headers={"Content-Length": str(len(body)), "Content-Type": "application/json"})
    await answer.prepare(call.request)
    await answer.write(body[: len(body) // 2])
    call.hang_up()
    return answer


async def extra_fields(call: Call) -> web.StreamResponse:
    """Every object of the answer has fields that no document knows."""
    said = await call.answer()
    answer = json.loads(_body(said))
    if "data" in answer:
        # The keys of the map of instance types are names: one more would be one more type, and a broken one.
        is_map = operation_of(call.request) == "instance-types"
        data = answer["data"]
        answer["data"] = {name: _extended(value) for name, value in data.items()} if is_map else _extended(data)
    return web.json_response(answer, status=said.status)


async def unknown_status(call: Call) -> web.StreamResponse:
    """Every instance is in a state that no document knows."""
    said = await call.answer()
    return web.json_response(_migrating(json.loads(_body(said))), status=said.status)


def _body(answer: web.Response) -> bytes:
    assert isinstance(answer.body, bytes)
    return answer.body


def _extended(value: Any) -> Any:
    if isinstance(value, list):
        return [_extended(one) for one in value]
    if isinstance(value, dict):
        return {name: _extended(one) for name, one in value.items()} | UNKNOWN_FIELDS
    return value


def _migrating(value: Any) -> Any:
    if isinstance(value, list):
        return [_migrating(one) for one in value]
    if not isinstance(value, dict):
        return value
    changed = {name: _migrating(one) for name, one in value.items()}
    # The user behind a filesystem has a status too.
    return changed | {"status": UNKNOWN_STATUS} if {"status", "instance_type"} <= value.keys() else changed
