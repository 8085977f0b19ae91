"""The cloud at a glance, for `status` and for the page."""

import asyncio
from collections.abc import Collection
from dataclasses import asdict
from itertools import islice
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from localcloud.account.records import GONE, InstanceRecord, Status
from localcloud.api.edge import LIMITER
from localcloud.cloud import Cloud, cloud_of
from localcloud.control.summaries import fault_summary, instance_summary
from localcloud.faults.kinds import kinds_for
from localcloud.faults.operations import HUB, SSH
from localcloud.machines.commands import commands_of

SHOWN_REQUESTS = 200


def overview(operations: Collection[str]) -> Handler:
    """Answers with all that the page shows; of the requests the last ones, newest first."""

    async def show(request: web.Request) -> web.Response:
        cloud = cloud_of(request)
        limiter = request.config_dict.get(LIMITER)
        records = cloud.store.instances.all()
        instances = [await _instance(cloud, record) for record in records]
        return web.json_response(
            {
                "instances": instances,
                "cents_per_hour": sum(
                    one["price_cents_per_hour"]
                    for one, record in zip(instances, records, strict=True)
                    if record.status not in GONE
                ),
                "faults": [fault_summary(fault) for fault in cloud.faults.waiting],
                "budget": limiter.budget() if limiter else None,
                "kinds": _kinds(operations),
                "statuses": [str(status) for status in Status],
                "requests": [asdict(entry) for entry in islice(reversed(cloud.journal.entries), SHOWN_REQUESTS)],
            }
        )

    return show


async def _instance(cloud: Cloud, record: InstanceRecord) -> dict[str, Any]:
    return {
        **instance_summary(cloud, record),
        "since": record.boot_began,
        "commands": [] if record.status in GONE else await asyncio.to_thread(commands_of, record.id),
    }


def _kinds(operations: Collection[str]) -> dict[str, list[str]]:
    """The kinds of fault that fit each operation, of the API, of the machines' SSH and of the hub."""
    return {operation: kinds_for(operation) for operation in sorted({*operations, *HUB, *SSH})}
