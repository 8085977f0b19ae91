"""The authority that a stack's clients trust: one for each stack, made on this computer."""

from typing import Any, NotRequired, TypedDict

import pulumi
from pulumi.dynamic import Resource

from components.dynamic.lazy_provider import LazyProvider

PROVIDER = LazyProvider("components.tls.authority.provider:CertificateAuthorityProvider")


class CertificateAuthorityArgs(TypedDict):
    """Arguments of `CertificateAuthority`."""

    name: pulumi.Input[str]
    """What people see as the issuer; up to 64 characters."""
    clock_is_behind: NotRequired[bool]
    """This computer's clock is known to be behind: what it takes for an authority of tomorrow is kept."""


class CertificateAuthority(Resource, module="lambdavllm", name="CertificateAuthority"):
    """A key and a certificate that sign for IPv4 addresses and `localhost`. The key is encrypted in the state."""

    private_key: pulumi.Output[str]
    certificate: pulumi.Output[str]
    """PEM; what clients trust."""

    def __init__(self, name: str, args: CertificateAuthorityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        outputs = ("private_key", "certificate", "not_before", "not_after")
        props: dict[str, Any] = {**dict.fromkeys(outputs), **args}
        secret = pulumi.ResourceOptions(additional_secret_outputs=["private_key"])
        super().__init__(PROVIDER, name, props, pulumi.ResourceOptions.merge(opts, secret))
