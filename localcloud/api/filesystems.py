"""Filesystems of the account, and which of them an instance gets."""

import asyncio
import uuid
from collections.abc import Sequence
from typing import Any

from aiohttp import web
from pydantic import Field

from localcloud.account.records import GONE, OWNER, FilesystemRecord, MountedFilesystem
from localcloud.api.audit import note
from localcloud.api.catalogue import region_json
from localcloud.api.envelope import RequestBody, ok, path_id, read_body
from localcloud.api.errors import (
    check_region,
    duplicate_filesystem,
    filesystem_in_use,
    filesystem_in_wrong_region,
    filesystem_not_found,
    launch_object_not_found,
    quota_exceeded,
)
from localcloud.clock import utc
from localcloud.cloud import Cloud, cloud_of


class NewFilesystem(RequestBody):
    """A filesystem to make; the field is `region` here, not `region_name`."""

    name: str = Field(min_length=1, max_length=60, pattern=r"^[a-zA-Z]+[0-9a-zA-Z-]*$")
    region: str


class RequestedMount(RequestBody):
    """Where a filesystem is to be found on the machine."""

    mount_point: str = Field(max_length=256, pattern=r"^(/home|/lambda/nfs|/data)[/a-zA-Z0-9-]*$")
    file_system_id: uuid.UUID


async def list_filesystems(request: web.Request) -> web.Response:
    """All filesystems."""
    cloud = cloud_of(request)
    return ok([await _filesystem_json(cloud, filesystem) for filesystem in cloud.store.filesystems.all()])


async def create_filesystem(request: web.Request) -> web.Response:
    """Make a filesystem; the name is unique in the account, whatever the region."""
    asked = await read_body(request, NewFilesystem)
    check_region(asked.region)
    cloud = cloud_of(request)
    if _named(cloud, asked.name):
        raise duplicate_filesystem()
    if not cloud.allowance.has_filesystem():
        raise quota_exceeded()
    filesystem = FilesystemRecord(
        id=uuid.uuid4().hex, name=asked.name, region=asked.region, created=utc(cloud.clock).isoformat()
    )
    cloud.filesystems.make(filesystem.id)
    with cloud.store.transaction():
        cloud.store.filesystems.put(filesystem)
        note(cloud, "filesystem", "created", [filesystem.id], region=filesystem.region)
    return ok(await _filesystem_json(cloud, filesystem))


async def delete_filesystem(request: web.Request) -> web.Response:
    """Remove a filesystem that no instance has; one that is terminating still has its filesystems."""
    filesystem_id = path_id(request)
    cloud = cloud_of(request)
    if cloud.store.filesystems.get(filesystem_id) is None:
        raise filesystem_not_found()
    if _is_in_use(cloud, filesystem_id):
        raise filesystem_in_use()
    with cloud.store.transaction():
        cloud.store.filesystems.delete(filesystem_id)
        note(cloud, "filesystem", "deleted", [filesystem_id])
    await asyncio.to_thread(cloud.filesystems.remove, filesystem_id)
    return ok({"deleted_ids": [filesystem_id]})


def mounted(
    cloud: Cloud, region: str, names: Sequence[str], mounts: Sequence[RequestedMount]
) -> list[MountedFilesystem]:
    """What an instance in the region gets: by name at the usual place, or at a chosen one, which wins over the name.

    Raises:
        ApiError: one of them is not there, or is in another region.
    """
    places = {mount.file_system_id.hex: mount.mount_point for mount in mounts}
    found = [_in_region(_named(cloud, name), name, region) for name in names]
    found += [_in_region(cloud.store.filesystems.get(wanted), wanted, region) for wanted in places]
    return [
        MountedFilesystem(id=one.id, name=one.name, mount_point=places.get(one.id, one.mount_point))
        for one in {one.id: one for one in found}.values()
    ]


def _in_region(filesystem: FilesystemRecord | None, wanted: str, region: str) -> FilesystemRecord:
    if filesystem is None:
        raise launch_object_not_found(f"Filesystem '{wanted}'")
    if filesystem.region != region:
        raise filesystem_in_wrong_region(filesystem.name, region)
    return filesystem


def _named(cloud: Cloud, name: str) -> FilesystemRecord | None:
    return next((one for one in cloud.store.filesystems.all() if one.name == name), None)


def _is_in_use(cloud: Cloud, filesystem_id: str) -> bool:
    alive = [one for one in cloud.store.instances.all() if one.status not in GONE]
    return any(mounted.id == filesystem_id for one in alive for mounted in one.filesystems)


async def _filesystem_json(cloud: Cloud, filesystem: FilesystemRecord) -> dict[str, Any]:
    return {
        "id": filesystem.id,
        "name": filesystem.name,
        "mount_point": filesystem.mount_point,
        "created": filesystem.created,
        "created_by": OWNER,
        "is_in_use": _is_in_use(cloud, filesystem.id),
        "region": region_json(filesystem.region),
        "bytes_used": await cloud.filesystems.bytes_used(filesystem.id),
    }
