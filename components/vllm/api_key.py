"""The key of the endpoint, made when the user brings none: an endpoint is never without one."""

import secrets
from typing import Any, ClassVar

import pulumi
from pulumi.dynamic import Resource

from components.cloud.provider import Inputs, LambdaProvider, Made

KEY_BYTES = 32


class ApiKeyInputs(Inputs):
    """A key needs nothing."""


class ApiKeyProvider(LambdaProvider[ApiKeyInputs]):
    """Makes a random key; nothing is sent anywhere."""

    inputs: ClassVar[type[Inputs]] = ApiKeyInputs

    def make(self, inputs: ApiKeyInputs) -> Made:
        # The id stands in the state in plain text, so it is not made from the key.
        return Made(secrets.token_hex(8), {"key": "sk-" + secrets.token_urlsafe(KEY_BYTES)})


class ApiKey(Resource, module="lambdavllm", name="ApiKey"):
    """A random key; it stays the same until the stack is destroyed."""

    key: pulumi.Output[str]

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        props: dict[str, Any] = {"key": None}
        secret = pulumi.ResourceOptions(additional_secret_outputs=["key"])
        super().__init__(ApiKeyProvider(), name, props, pulumi.ResourceOptions.merge(opts, secret))
