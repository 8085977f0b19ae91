"""Instances that there are: list, look, rename, restart, terminate."""

from typing import Annotated, Any
from uuid import UUID

from aiohttp import web
from pydantic import Field, field_validator

from localcloud.account.records import GONE, InstanceRecord, Status, Tag
from localcloud.api.audit import note
from localcloud.api.catalogue import instance_type_json, region_json
from localcloud.api.envelope import RequestBody, ok, path_id, read_body
from localcloud.api.errors import conflict, instance_not_found
from localcloud.cloud import Cloud, cloud_of
from localcloud.faults.marks import TERMINATE_MARK, TerminateMark

Name = Annotated[str, Field(max_length=64)]

ACTIONS = ("migrate", "rebuild", "restart", "cold_reboot", "terminate")


class RequestedTag(RequestBody):
    """A tag as it may be asked for; keys that begin with `lambda-ai-` are Lambda's own."""

    key: str = Field(max_length=55, pattern=r"^[a-z][a-z0-9:-]+$")
    value: str = Field(max_length=128)

    @field_validator("key")
    @classmethod
    def _not_reserved(cls, key: str) -> str:
        if key.startswith("lambda-ai-"):
            raise ValueError("Tag keys starting with 'lambda-ai-' are reserved")
        return key


class Modification(RequestBody):
    """What can be changed on an instance; tags replace all tags (in newer documents than 1.10.0 of August 2026)."""

    name: Name | None = None
    tags: list[RequestedTag] | None = None


class InstanceIds(RequestBody):
    """The instances that an operation is for."""

    instance_ids: list[UUID]


async def list_instances(request: web.Request) -> web.Response:
    """All instances, for a while also those that are terminated."""
    cloud = cloud_of(request)
    if "cluster_id" in request.query:
        # There are no clusters, so no instance is part of one.
        return ok([])
    now = cloud.clock.now()
    return ok([instance_json(cloud, one) for one in cloud.store.instances.all() if not one.is_hidden(now)])


async def get_instance(request: web.Request) -> web.Response:
    """One instance."""
    cloud = cloud_of(request)
    return ok(instance_json(cloud, _find(cloud, path_id(request))))


async def update_instance(request: web.Request) -> web.Response:
    """Rename an instance or replace its tags."""
    instance_id = path_id(request)
    asked = await read_body(request, Modification)
    cloud = cloud_of(request)
    instance = _find_alive(cloud, instance_id)
    if asked.name is not None:
        instance = instance.model_copy(update={"name": asked.name})
    if asked.tags is not None:
        instance = instance.model_copy(update={"tags": tags_of(asked.tags)})
    with cloud.store.transaction():
        cloud.store.instances.put(instance)
        note(cloud, "instance", "updated", [instance.id])
    return ok(instance_json(cloud, instance))


async def terminate(request: web.Request) -> web.Response:
    """End instances: all of them or, when one is not there, none. One that is ending already is no error."""
    asked = await read_body(request, InstanceIds)
    cloud = cloud_of(request)
    instances = _all_alive(cloud, asked)
    mark = request.get(TERMINATE_MARK, TerminateMark())
    if mark.is_ignored:
        ending = [instance.model_copy(update={"status": Status.TERMINATING}) for instance in instances]
    else:
        with cloud.store.transaction():
            ending = [cloud.lifecycle.terminate(instance.id, mark.extra_seconds) for instance in instances]
            _note_each(cloud, "terminated", [one for one in instances if one.status != Status.TERMINATING])
    return ok({"terminated_instances": [instance_json(cloud, instance) for instance in ending]})


async def restart(request: web.Request) -> web.Response:
    """Reboot instances: all of them or, when one is not in a state for it, none."""
    asked = await read_body(request, InstanceIds)
    cloud = cloud_of(request)
    instances = _all_alive(cloud, asked)
    if any("restart" not in _available(instance) for instance in instances):
        raise conflict()
    with cloud.store.transaction():
        restarting = [cloud.lifecycle.restart(instance.id) for instance in instances]
        _note_each(cloud, "restarted", instances)
    return ok({"restarted_instances": [instance_json(cloud, instance) for instance in restarting]})


def tags_of(asked: list[RequestedTag]) -> list[Tag]:
    """The tags as they are kept."""
    return [Tag(key=tag.key, value=tag.value) for tag in asked]


def instance_json(cloud: Cloud, instance: InstanceRecord) -> dict[str, Any]:
    """The API's form of an instance. What is not known yet is left out, not null."""
    body: dict[str, Any] = {
        "id": instance.id,
        "status": instance.status,
        "ssh_key_names": instance.ssh_key_names,
        "file_system_names": [one.name for one in instance.filesystems],
        "region": region_json(instance.region),
        "instance_type": instance_type_json(cloud.prices.offer(instance.instance_type)),
        "image": {"id": instance.image_id, "family": instance.image_family},
        "is_reserved": False,
        "actions": _actions(instance),
        "tags": [tag.model_dump() for tag in instance.tags],
        "firewall_rulesets": [{"id": ruleset_id} for ruleset_id in instance.firewall_ruleset_ids],
    }
    if instance.filesystems:
        body["file_system_mounts"] = [
            {"mount_point": one.mount_point, "file_system_id": one.id} for one in instance.filesystems
        ]
    if instance.name is not None:
        body["name"] = instance.name
    if instance.ip is not None:
        body |= _addresses(instance, instance.ip)
    return body


def _addresses(instance: InstanceRecord, ip: str) -> dict[str, str]:
    """What an instance has once it has an address; the host name defaults to the address in live answers."""
    token = instance.jupyter_token
    return {
        "ip": ip,
        "private_ip": "10." + ip.split(".", 1)[1],
        "hostname": instance.hostname or ip,
        "jupyter_token": token,
        "jupyter_url": f"https://jupyter-{instance.id}.lambdaspaces.com/?token={token}",
    }


def _actions(instance: InstanceRecord) -> dict[str, dict[str, Any]]:
    available = _available(instance)
    reason = {"available": False} | _why_blocked(instance)
    return {action: {"available": True} if action in available else reason for action in ACTIONS}


def _available(instance: InstanceRecord) -> set[str]:
    """What can be done now; a fresh instance cannot even be terminated, says the live API (and does it if asked)."""
    if instance.status in {*GONE, Status.TERMINATING}:
        return set()
    if instance.ip is None:
        return set() if instance.status == Status.BOOTING else {"terminate"}
    if instance.status == Status.BOOTING:
        return {"terminate"}
    return {"rebuild", "restart", "cold_reboot", "terminate"}


def _why_blocked(instance: InstanceRecord) -> dict[str, str]:
    """The codes are the document's; which state has which, and the texts, are our own."""
    if instance.status in {*GONE, Status.TERMINATING}:
        return {"reason_code": "vm-is-terminating", "reason_description": "Instance is terminating"}
    if instance.has_launched and instance.status == Status.BOOTING:
        return {"reason_code": "vm-action-in-progress", "reason_description": "Instance is restarting"}
    if instance.ip is None or instance.status == Status.BOOTING:
        return {"reason_code": "vm-has-not-launched", "reason_description": "Instance has not launched yet"}
    return {"reason_code": "vm-is-too-old", "reason_description": "Instance does not support this operation"}


def _find(cloud: Cloud, instance_id: str) -> InstanceRecord:
    instance = cloud.store.instances.get(instance_id)
    if instance is None or instance.is_hidden(cloud.clock.now()):
        raise instance_not_found()
    return instance


def _find_alive(cloud: Cloud, instance_id: str) -> InstanceRecord:
    """An instance that something can still be done with."""
    instance = _find(cloud, instance_id)
    if instance.status in GONE:
        raise instance_not_found()
    return instance


def _all_alive(cloud: Cloud, asked: InstanceIds) -> list[InstanceRecord]:
    """Each of the instances once, however often it is asked for."""
    return [_find_alive(cloud, instance_id) for instance_id in dict.fromkeys(one.hex for one in asked.instance_ids)]


def _note_each(cloud: Cloud, action: str, instances: list[InstanceRecord]) -> None:
    for instance in instances:
        note(cloud, "instance", action, [instance.id])
