"""How the API wraps what it says, and how it reads what it is told."""

import re
import sys
from typing import TypeVar

from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import to_json

from localcloud.api.errors import ApiError, internal_error, invalid_parameters, not_found

DASHED = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class RequestBody(BaseModel):
    """Base of every body and its parts: a number is no string, and a field that has no value is left out, not null."""

    model_config = ConfigDict(strict=True)

    @model_validator(mode="before")
    @classmethod
    def _no_nulls(cls, given: object) -> object:
        if isinstance(given, dict):
            for name, value in given.items():
                if value is None and name in cls.model_fields:
                    raise ValueError(f"Field '{name}' should not be null")
        return given


Body = TypeVar("Body", bound=RequestBody)


def ok(data: object) -> web.Response:
    """Success is always HTTP 200, creation and deletion included."""
    # A list of a thousand instances takes json.dumps three times as long.
    return web.Response(body=to_json({"data": data}), content_type="application/json", charset="utf-8")


def error_response(error: ApiError) -> web.Response:
    """The error envelope; `suggestion` is left out when there is none."""
    body = {"code": error.code, "message": error.message}
    if error.suggestion:
        body["suggestion"] = error.suggestion
    return web.json_response({"error": body}, status=error.status)


@web.middleware
async def envelope(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn everything that goes wrong below into the API's error envelope."""
    try:
        return await handler(request)
    except ApiError as error:
        return error_response(error)
    except web.HTTPNotFound:
        return error_response(not_found())
    except web.HTTPMethodNotAllowed as error:
        answer = error_response(ApiError(error.status, "global/invalid-parameters", f"{error.reason}."))
        answer.headers["Allow"] = error.headers["Allow"]
        return answer
    except web.HTTPException as error:
        # A body that is too large, and the like: the document knows 400 for all that is wrong with a request.
        return error_response(invalid_parameters(f"{error.reason}."))
    except Exception as error:
        print(f"localcloud: {request.method} {request.path}: {error!r}", file=sys.stderr, flush=True)
        return error_response(internal_error())


async def read_body(request: web.Request, model: type[Body]) -> Body:
    """The body as `model`; unknown fields are ignored, which is an assumption.

    Raises:
        ApiError: 400 that names the first wrong field and never repeats its value, which may be a secret.
    """
    try:
        return model.model_validate_json(await request.read())
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        where = f"request body at '{place}'" if place else "request body"
        raise invalid_parameters(f"Error in {where}: {first['msg']}") from None


def path_id(request: web.Request) -> str:
    """The id in the path: 32 hexadecimal digits, or the same with dashes.

    Raises:
        ApiError: 400, not 404, for anything else; the text is as seen live.
    """
    given = request.match_info["id"]
    if DASHED.fullmatch(given):
        return given.replace("-", "").lower()
    if len(given) != 32:
        problem = f"invalid length: expected length 32 for simple format, found {len(given)}"
    elif not re.fullmatch(r"[0-9a-fA-F]+", given):
        problem = "invalid character"
    else:
        return given.lower()
    raise invalid_parameters(f"Error in request path at 'id': Input should be a valid UUID, {problem}")
