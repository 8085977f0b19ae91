"""A public key registered with the account, so that a machine can be launched with it."""

from typing import Any, NotRequired, TypedDict

import pulumi
from pulumi.dynamic import Resource

from components.dynamic.lazy_provider import LazyProvider
from components.lambda_cloud.prefixes import claim, default_prefix
from components.lambda_cloud.stack_mark.resource import MARK_LENGTH, stack_mark

PROVIDER = LazyProvider("components.lambda_cloud.ssh_key.provider:SshKeyProvider")

FINGERPRINT_LENGTH = 6
LONGEST_PREFIX = 64 - 1 - FINGERPRINT_LENGTH - 1 - MARK_LENGTH


class SshKeyArgs(TypedDict):
    """Arguments of `SshKey`."""

    public_key: pulumi.Input[str]
    """OpenSSH's one-line form: your own (the text of `~/.ssh/id_ed25519.pub`), or that of a `KeyPair`."""
    name_prefix: NotRequired[pulumi.Input[str]]
    """Up to 48 characters that the name in the account begins with. Project, stack and resource if unset."""


class SshKey(Resource, module="lambdacloud", name="SshKey"):
    """A registered public key. Another public key is registered anew, and replaces the machines that use this one."""

    name: pulumi.Output[str]
    """The name in the account, which a launch asks for."""

    def __init__(self, name: str, args: SshKeyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        prefix = args.get("name_prefix") or default_prefix(name, LONGEST_PREFIX)
        claim("SSH key", prefix, args["public_key"])
        props: dict[str, Any] = {"name": None, **args, "name_prefix": prefix, "mark": stack_mark()}
        super().__init__(PROVIDER, name, props, opts)
