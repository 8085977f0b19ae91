"""Partitions of the compute fabric: entries only, no instance can be put into one.

The document of August 2026 has them; one of September did not.
"""

import uuid
from typing import Any

from aiohttp import web
from pydantic import Field

from localcloud.account.records import FabricPartitionRecord
from localcloud.api.audit import note
from localcloud.api.catalogue import region_json
from localcloud.api.envelope import RequestBody, ok, path_id, read_body
from localcloud.api.errors import check_region, not_found
from localcloud.clock import utc
from localcloud.cloud import cloud_of

DEFAULT_WORKSPACE = "232582c7ff041399e34823a0be625540"

PARTITION_NAME = Field(min_length=1, max_length=32, pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")


class NewPartition(RequestBody):
    """A partition to make."""

    name: str = PARTITION_NAME
    region: str
    workspace_id: str = DEFAULT_WORKSPACE


class PartitionChange(RequestBody):
    """Only the name can change."""

    name: str = PARTITION_NAME


async def create_fabric_partition(request: web.Request) -> web.Response:
    """Names need not be unique, as the document lists no such error."""
    asked = await read_body(request, NewPartition)
    check_region(asked.region)
    cloud = cloud_of(request)
    partition = FabricPartitionRecord(
        id=uuid.uuid4().hex,
        name=asked.name,
        region=asked.region,
        workspace_id=asked.workspace_id,
        created=utc(cloud.clock).isoformat(),
    )
    with cloud.store.transaction():
        cloud.store.fabric_partitions.put(partition)
        note(cloud, "fabric_partition", "created", [partition.id], region=partition.region)
    return ok(_partition_json(partition))


async def update_fabric_partition(request: web.Request) -> web.Response:
    """Rename a partition."""
    partition = _find(request)
    asked = await read_body(request, PartitionChange)
    changed = partition.model_copy(update={"name": asked.name})
    cloud = cloud_of(request)
    with cloud.store.transaction():
        cloud.store.fabric_partitions.put(changed)
        note(cloud, "fabric_partition", "updated", [partition.id])
    return ok(_partition_json(changed))


async def delete_fabric_partition(request: web.Request) -> web.Response:
    """Remove a partition; nothing can be in it."""
    partition = _find(request)
    cloud = cloud_of(request)
    with cloud.store.transaction():
        cloud.store.fabric_partitions.delete(partition.id)
        note(cloud, "fabric_partition", "deleted", [partition.id])
    return ok({})


def _find(request: web.Request) -> FabricPartitionRecord:
    partition = cloud_of(request).store.fabric_partitions.get(path_id(request))
    if partition is None:
        raise not_found()
    return partition


def _partition_json(partition: FabricPartitionRecord) -> dict[str, Any]:
    return partition.model_dump() | {"region": region_json(partition.region)}
