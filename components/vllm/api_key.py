"""The key of the endpoint, made when the user brings none: an endpoint is never without one."""

from typing import Any

import pulumi
from pulumi.dynamic import Resource

from components.cloud.deferred import Deferred

PROVIDER = Deferred("components.vllm.api_key_provider:ApiKeyProvider")


class ApiKey(Resource, module="lambdavllm", name="ApiKey"):
    """A random key; it stays the same until the stack is destroyed."""

    key: pulumi.Output[str]

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        props: dict[str, Any] = {"key": None}
        secret = pulumi.ResourceOptions(additional_secret_outputs=["key"])
        super().__init__(
            PROVIDER,
            name,
            props,
            pulumi.ResourceOptions.merge(opts, secret),
        )
