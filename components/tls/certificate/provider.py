"""Makes the certificates of servers, for `ServerCertificate`."""

import secrets
from datetime import datetime
from ipaddress import IPv4Address
from typing import ClassVar

from pulumi.dynamic import DiffResult

from components.dynamic.errors import ProviderError
from components.dynamic.inputs import Inputs, Properties
from components.dynamic.provider import Created, DynamicProvider
from components.tls.x509 import SERVER_LIFE, is_of_use, issue, now

RENEWED_BEFORE = SERVER_LIFE / 3
"""Its end; whoever runs an `up` every four months never sees a certificate end."""


class ServerCertificateInputs(Inputs):
    """Where the server is, and who signs for it."""

    ip: IPv4Address
    ca_certificate: str
    ca_private_key: str


class ServerCertificateProvider(DynamicProvider[ServerCertificateInputs]):
    """Makes a key and has it signed; nothing is sent anywhere. Another address or authority wants another key."""

    inputs: ClassVar[type[Inputs]] = ServerCertificateInputs
    secret_inputs: ClassVar[frozenset[str]] = frozenset({"ca_private_key"})
    hashed_inputs: ClassVar[frozenset[str]] = frozenset({"ca_private_key"})

    def clock(self) -> datetime:
        """The time that counts."""
        return now()

    def diff(self, _id: str, olds: Properties, news: Properties) -> DiffResult:
        """Besides its inputs, time changes a certificate: it is renewed when less than a third of its life is left.

        So is one that does not count yet: a clock that was far ahead has made it.
        """
        result = super().diff(_id, olds, news)
        begin, end = olds.get("not_before"), olds.get("not_after")
        if not result.changes and begin and end:
            result.changes = not is_of_use(begin, end, self.clock(), RENEWED_BEFORE)
        return result

    def create_resource(self, inputs: ServerCertificateInputs) -> Created:
        return Created(secrets.token_hex(8), self._issued(inputs))

    def update_resource(self, id_: str, inputs: ServerCertificateInputs, state: Properties) -> Properties:
        """A later certificate for the same key.

        vLLM opens its file twice, for the certificate and for the key. With one key a write between the two does no
        harm; with another, the server would not start, or refuse all connections.
        """
        return self._issued(inputs, str(state["pem"]).partition("-----BEGIN CERTIFICATE-----")[0])

    def _issued(self, inputs: ServerCertificateInputs, private_key: str | None = None) -> Properties:
        try:
            made = issue(inputs.ca_certificate, inputs.ca_private_key, inputs.ip, self.clock(), private_key)
        except ValueError:
            # The library's words may hold parts of what it could not read.
            raise ProviderError(
                "certificate: key and certificate of the authority cannot be read, or do not belong together"
            ) from None
        return {
            "pem": made.private_key + made.certificate + inputs.ca_certificate,
            "serial": f"{made.serial:x}",
            "not_before": made.not_before.isoformat(),
            "not_after": made.not_after.isoformat(),
        }
