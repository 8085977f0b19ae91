"""POST /instance-operations/launch: what may be asked for, and whether it can be had."""

import secrets
import uuid
from typing import Annotated, Self

import asyncssh
from aiohttp import web
from pydantic import Field, field_validator, model_validator

from localcloud.account.catalogue import DEFAULT_FAMILY, IMAGES, INSTANCE_TYPES, Image, image_regions
from localcloud.account.records import InstanceRecord, SshKeyRecord
from localcloud.api.audit import note
from localcloud.api.envelope import RequestBody, ok, read_body
from localcloud.api.errors import (
    check_region,
    insufficient_capacity,
    invalid_parameters,
    launch_object_not_found,
    quota_exceeded,
)
from localcloud.api.filesystems import RequestedMount, mounted
from localcloud.api.instances import Name, RequestedTag, tags_of
from localcloud.cloud import Cloud, cloud_of
from localcloud.faults.marks import LAUNCH_MARK, LaunchMark

USER_DATA_BYTES = 1_000_000
"""The document says 1 MB."""


class RequestedImage(RequestBody):
    """An image by its id, or the newest of a family."""

    id: str | None = None
    family: str | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.id is None) == (self.family is None):
            raise ValueError("Exactly one of 'id' and 'family' is needed")
        return self


class RequestedRuleset(RequestBody):
    """A firewall ruleset of the same region."""

    id: uuid.UUID


class LaunchRequest(RequestBody):
    """Body of a launch, Lambda API 1.10.0. `quantity` is of older documents and still accepted when it is 1."""

    region_name: str
    instance_type_name: str
    ssh_key_names: Annotated[list[str], Field(min_length=1, max_length=1)]
    file_system_names: list[str] = Field(default=[])
    file_system_mounts: list[RequestedMount] = Field(default=[])
    hostname: str | None = Field(default=None, max_length=63, pattern=r"^[a-z0-9][0-9a-z-]{0,62}$")
    name: Name | None = None
    image: RequestedImage = RequestedImage(family=DEFAULT_FAMILY)
    user_data: str | None = None
    tags: list[RequestedTag] = Field(default=[])
    firewall_rulesets: list[RequestedRuleset] = Field(default=[])
    quantity: int = 1

    @field_validator("user_data")
    @classmethod
    def _not_too_long(cls, user_data: str | None) -> str | None:
        if user_data and len(user_data.encode()) > USER_DATA_BYTES:
            raise ValueError("User data cannot exceed 1MB in size")
        return user_data


async def launch(request: web.Request) -> web.Response:
    """Begin an instance; it boots after the answer."""
    asked = await read_body(request, LaunchRequest)
    cloud = cloud_of(request)
    instance = _marked(_instance(cloud, asked), request.get(LAUNCH_MARK, LaunchMark()))
    with cloud.store.transaction():
        cloud.lifecycle.launch(instance)
        where = {"instance_type": instance.instance_type, "region": instance.region}
        note(cloud, "instance", "launched", [instance.id], **where)
    return ok({"instance_ids": [instance.id]})


def _instance(cloud: Cloud, asked: LaunchRequest) -> InstanceRecord:
    """The instance asked for, when all that the request names is there."""
    _check_catalogue(asked)
    key = _ssh_key(cloud, asked.ssh_key_names[0])
    filesystems = mounted(cloud, asked.region_name, asked.file_system_names, asked.file_system_mounts)
    ruleset_ids = [_ruleset_in(cloud, ruleset.id.hex, asked.region_name) for ruleset in asked.firewall_rulesets]
    if not cloud.allowance.has_instance():
        raise quota_exceeded()
    if not cloud.capacity.can_launch(asked.instance_type_name, asked.region_name):
        raise insufficient_capacity()
    image = _image(cloud, asked)
    return InstanceRecord(
        id=uuid.uuid4().hex,
        name=asked.name,
        region=asked.region_name,
        instance_type=asked.instance_type_name,
        image_id=image.id,
        image_family=image.family,
        hostname=asked.hostname,
        ssh_key_names=[key.name],
        authorized_keys=[_one_line_key(key)],
        user_data=asked.user_data,
        tags=tags_of(asked.tags),
        firewall_ruleset_ids=ruleset_ids,
        filesystems=filesystems,
        jupyter_token=secrets.token_hex(16),
        boot_began=cloud.clock.now(),
    )


def _marked(instance: InstanceRecord, mark: LaunchMark) -> InstanceRecord:
    marks = {
        "boot_ends_in": mark.boot_ends_in,
        "hidden_until": instance.boot_began + mark.hidden_seconds,
        "preempted_after": mark.preempted_after_seconds,
        "disk_bytes": mark.disk_bytes,
    }
    return instance.model_copy(update=marks)


def _check_catalogue(asked: LaunchRequest) -> None:
    check_region(asked.region_name)
    if asked.instance_type_name not in INSTANCE_TYPES:
        raise invalid_parameters(f"Instance type '{asked.instance_type_name}' does not exist.")
    if asked.quantity != 1:
        raise invalid_parameters("Requested too many instances.")


def _ssh_key(cloud: Cloud, name: str) -> SshKeyRecord:
    key = next((key for key in cloud.store.ssh_keys.all() if key.name == name), None)
    if key is None:
        raise launch_object_not_found(f"SSH key '{name}'")
    return key


def _one_line_key(key: SshKeyRecord) -> str:
    """OpenSSH's form of a key, which may have been registered in another one."""
    public_key = asyncssh.import_public_key(key.public_key.encode())
    if not (public_key.get_comment_bytes() or b"").isascii():
        # A remark that the SSH server of a machine could not read.
        public_key.set_comment(None)
    return public_key.export_public_key("openssh").decode().strip()


def _ruleset_in(cloud: Cloud, ruleset_id: str, region: str) -> str:
    ruleset = cloud.store.rulesets.get(ruleset_id)
    if ruleset is None or ruleset.region != region:
        raise launch_object_not_found(f"Firewall ruleset '{ruleset_id}' in region '{region}'")
    return ruleset_id


def _image(cloud: Cloud, asked: LaunchRequest) -> Image:
    """The image for the type's architecture that the region has."""
    architecture = INSTANCE_TYPES[asked.instance_type_name].architecture
    sold_in = cloud.capacity.architecture_regions(architecture)
    for image in IMAGES:
        named = asked.image.id == image.id or asked.image.family == image.family
        if named and image.architecture == architecture and asked.region_name in image_regions(image, sold_in):
            return image
    what = asked.image.id or asked.image.family
    raise launch_object_not_found(f"Image '{what}' for {architecture} in region '{asked.region_name}'")
