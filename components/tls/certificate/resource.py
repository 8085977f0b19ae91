"""The certificate that the endpoint shows, and its key."""

from typing import Any, TypedDict

import pulumi
from pulumi.dynamic import Resource

from components.dynamic.lazy_provider import LazyProvider

PROVIDER = LazyProvider("components.tls.certificate.provider:ServerCertificateProvider")


class ServerCertificateArgs(TypedDict):
    """Arguments of `ServerCertificate`."""

    ip: pulumi.Input[str]
    """IPv4 address under which clients know the server."""
    ca_certificate: pulumi.Input[str]
    ca_private_key: pulumi.Input[str]


class ServerCertificate(Resource, module="lambdavllm", name="ServerCertificate"):
    """A certificate for the address, 127.0.0.1 and `localhost`, valid for a year.

    An update makes another for the same key when less than a third of its life is left, and another with another key
    when the address or the authority is another. Both can be changed while the server runs.
    """

    pem: pulumi.Output[str]
    """Key, certificate and the authority's certificate, one after the other; encrypted in the state."""
    serial: pulumi.Output[str]
    """Hexadecimal."""
    not_after: pulumi.Output[str]
    """ISO 8601, UTC."""

    def __init__(self, name: str, args: ServerCertificateArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        props: dict[str, Any] = {**dict.fromkeys(("pem", "serial", "not_before", "not_after")), **args}
        secret = pulumi.ResourceOptions(additional_secret_outputs=["pem"])
        super().__init__(PROVIDER, name, props, pulumi.ResourceOptions.merge(opts, secret))
