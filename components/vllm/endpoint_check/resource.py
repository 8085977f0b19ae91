"""The last step to an endpoint: it is looked at from the user's computer, not from the machine that serves it."""

from typing import Any, TypedDict

import pulumi
from pulumi.dynamic import Resource

from components.dynamic.lazy_provider import LazyProvider

PROVIDER = LazyProvider("components.vllm.endpoint_check.provider:EndpointCheckProvider")


class EndpointCheckArgs(TypedDict):
    """Arguments of `EndpointCheck`. A change of any of them repeats the check, which takes seconds."""

    ip: pulumi.Input[str]
    port: pulumi.Input[int]
    model: pulumi.Input[str]
    api_key: pulumi.Input[str]
    ca_certificate: pulumi.Input[str]
    """PEM; empty for plain HTTP."""
    allowed_cidrs: pulumi.Input[list[str]]
    ssh_port: pulumi.Input[int]
    private_key: pulumi.Input[str]
    """To log in with, for the way through a tunnel."""
    public_host_key: pulumi.Input[str]
    served: pulumi.Input[str]
    """Stands for what the server was started with, and for its certificate."""


class EndpointCheck(Resource, module="lambdavllm", name="EndpointCheck"):
    """A token that came from the model through TLS and key check to this computer."""

    reachable: pulumi.Output[str]
    """`from here` or `through the tunnel`."""

    def __init__(self, name: str, args: EndpointCheckArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        props: dict[str, Any] = {"reachable": None, **args}
        super().__init__(PROVIDER, name, props, opts)
