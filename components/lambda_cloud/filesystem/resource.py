"""A filesystem: a disk of one region that outlives the machines which mount it."""

from typing import Any, NotRequired, TypedDict

import pulumi
from pulumi.dynamic import Resource

from components.dynamic.lazy_provider import LazyProvider
from components.lambda_cloud.stack_mark.resource import stack_mark

PROVIDER = LazyProvider("components.lambda_cloud.filesystem.provider:FilesystemProvider")


class FilesystemArgs(TypedDict):
    """Arguments of `Filesystem`."""

    name: pulumi.Input[str]
    """1 to 60 letters, digits and dashes, a letter first. One that exists is taken over."""
    region: pulumi.Input[str]
    """Only machines of this region can mount it; it cannot move."""
    retain: NotRequired[pulumi.Input[bool]]
    """Keep it, and what is in it, when the stack is destroyed; True if unset. It costs by what is stored."""


class Filesystem(Resource, module="lambdacloud", name="Filesystem"):
    """A filesystem. Mount it with `filesystem_names` or `filesystem_mounts` of an `Instance`, at launch only."""

    name: pulumi.Output[str]
    region: pulumi.Output[str]
    mount_point: pulumi.Output[str]
    """Where it is on a machine that mounts it by name."""
    bytes_used: pulumi.Output[int]
    """Some hours behind."""
    created: pulumi.Output[bool]
    """False when it was there before."""

    def __init__(self, name: str, args: FilesystemArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        props: dict[str, Any] = {"mount_point": None, "bytes_used": None, "created": None, **args, "mark": stack_mark()}
        super().__init__(PROVIDER, name, props, opts)
