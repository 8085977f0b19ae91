"""GET /audit-events: what was done to the account with its API key, oldest first."""

import base64
import binascii
import hashlib
import json
import re
import uuid
from datetime import datetime
from typing import Any

from aiohttp import web

from localcloud.account.records import OWNER, AuditRecord
from localcloud.api.errors import invalid_parameters
from localcloud.clock import utc
from localcloud.cloud import Cloud, cloud_of

PAGE_SIZE = 100
"""Events on a page; Lambda does not publish its own."""

SERVICE = "cloud"

CATALOG_VERSION = "2025-09-06"
"""The one in the document, which does not hold the catalogue itself: the names of resources and actions are ours."""

ACCOUNT_ID = "6b0f7f1f3cbb4be98b1e21b4d1b7e9a2"

TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
"""RFC 3339, which is what the document means by date-time."""


def note(cloud: Cloud, resource: str, action: str, ids: list[str], **details: str) -> None:
    """Keep that something was done; call it in the transaction that does it."""
    cloud.store.audit.put(
        AuditRecord(
            id=uuid.uuid4().hex,
            time=utc(cloud.clock),
            resource=resource,
            action=action,
            resource_ids=ids,
            details=details,
        )
    )


async def get_audit_events(request: web.Request) -> web.Response:
    """A page of the events that were asked for; `page_token` is null on the last one."""
    after, start, end = _number(request), _time(request, "start"), _time(request, "end")
    given = request.query.get("resource_type")
    service, _, resource = given.partition(".") if given is not None else (SERVICE, "", None)
    cloud = cloud_of(request)
    # One more than is shown tells whether there are more; of another service there are none.
    found = cloud.store.audit.page(after, PAGE_SIZE + 1, start, end, resource) if service == SERVICE else []
    shown = found[:PAGE_SIZE]
    token = _token(shown[-1][0]) if len(found) > PAGE_SIZE else None
    return web.json_response({"data": [_event_json(cloud, event) for _, event in shown], "page_token": token})


def _time(request: web.Request, name: str) -> datetime | None:
    given = request.query.get(name)
    if given is None:
        return None
    try:
        if not TIMESTAMP.fullmatch(given):
            raise ValueError
        return datetime.fromisoformat(given.upper())
    except ValueError:
        raise invalid_parameters(f"Error in query parameter '{name}': Input should be a valid datetime") from None


def _token(number: int) -> str:
    return base64.b64encode(json.dumps({"after": number}).encode()).decode()


def _number(request: web.Request) -> int:
    """Of the last event on the page before."""
    given = request.query.get("page_token")
    if given is None:
        return 0
    try:
        number = json.loads(base64.b64decode(given, validate=True))["after"]
        if not 0 <= number < 2**63 or _token(number) != given:
            raise ValueError
    except (ValueError, TypeError, LookupError, binascii.Error, RecursionError):
        raise invalid_parameters("Error in query parameter 'page_token': Input should be a token of a page") from None
    return int(number)


def _event_json(cloud: Cloud, event: AuditRecord) -> dict[str, Any]:
    lrns = [_lrn(event.resource, resource_id) for resource_id in event.resource_ids]
    return {
        "service_name": SERVICE,
        "resource_name": event.resource,
        "action": event.action,
        "catalog_version": CATALOG_VERSION,
        "event_id": event.id,
        "event_time": event.time.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "actor_lrn": _lrn("identity", OWNER["id"]),
        "resource_lrns": lrns,
        "resource_owner_lrn": _lrn("account", ACCOUNT_ID),
        "request_api_key_lrn": _lrn("api_key", hashlib.sha256(cloud.credentials.api_key.encode()).hexdigest()[:32]),
        "additional_details": {f"{event.resource}_lrn": lrns[0], **event.details},
    }


def _lrn(kind: str, resource_id: str) -> str:
    """A Lambda Resource Name."""
    return f"lrn:{SERVICE}:{kind}:{resource_id}"
