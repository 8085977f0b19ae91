"""The key of the endpoint, made when the user brings none: an endpoint is never without one."""

from typing import Any

import pulumi
from pulumi.dynamic import Resource

from components.dynamic.lazy_provider import LazyProvider

PROVIDER = LazyProvider("components.vllm.api_key.provider:ApiKeyProvider")


class ApiKey(Resource, module="lambdavllm", name="ApiKey"):
    """The user's key, else a random one, which stays the same until the user brings one or the stack is destroyed."""

    key: pulumi.Output[str]

    def __init__(self, name: str, given: pulumi.Input[str] = "", opts: pulumi.ResourceOptions | None = None) -> None:
        """`given` is the user's own, empty for a random one. The state has a hash of it beside the key."""
        props: dict[str, Any] = {"key": None, "given": pulumi.Output.secret(given)}
        # Of a key that a person has chosen the hash is a secret too: who has it can try keys at leisure.
        secret = pulumi.ResourceOptions(additional_secret_outputs=["key", "given_sha256"])
        super().__init__(
            PROVIDER,
            name,
            props,
            pulumi.ResourceOptions.merge(opts, secret),
        )
