"""Makes the certificates of servers, for `ServerCertificate`."""

from collections.abc import Callable
from datetime import datetime
from ipaddress import IPv4Address
from typing import ClassVar

from components.cloud.errors import CloudError
from components.cloud.provider import Inputs, LambdaProvider, Made, Properties
from components.vllm.x509 import issue, now, remaining_share

RENEWED_AT = 1 / 3
"""Of its life; whoever runs an `up` every half year never sees a certificate end."""


class ServerCertificateInputs(Inputs):
    """Where the server is, and who signs for it."""

    ip: IPv4Address
    ca_certificate: str
    ca_private_key: str


class ServerCertificateProvider(LambdaProvider[ServerCertificateInputs]):
    """Makes a key and has it signed; nothing is sent anywhere. Another certificate is another object."""

    inputs: ClassVar[type[Inputs]] = ServerCertificateInputs
    secret_inputs: ClassVar[frozenset[str]] = frozenset({"ca_private_key"})
    hashed_inputs: ClassVar[frozenset[str]] = frozenset({"ca_private_key"})

    clock: ClassVar[Callable[[], datetime]] = staticmethod(now)

    def broken(self, state: Properties) -> str | None:
        """One of which less than a third is left is replaced."""
        begin, end = state.get("not_before"), state.get("not_after")
        if not begin or not end:
            return None
        return "not_after" if remaining_share(begin, end, self.clock()) < RENEWED_AT else None

    def make(self, inputs: ServerCertificateInputs) -> Made:
        try:
            made = issue(inputs.ca_certificate, inputs.ca_private_key, inputs.ip, self.clock())
        except ValueError:
            # The library's words may hold parts of what it could not read.
            raise CloudError(
                "certificate: key and certificate of the authority cannot be read, or do not belong together"
            ) from None
        return Made(
            f"{made.serial:x}",
            {
                "pem": made.private_key + made.certificate + inputs.ca_certificate,
                "not_before": made.not_before.isoformat(),
                "not_after": made.not_after.isoformat(),
            },
        )
