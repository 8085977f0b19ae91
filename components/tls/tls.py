"""TLS of the endpoint: an authority for the stack, a certificate for the machine, both on the machine.

The authority is there without TLS too: once it is on again, clients that know it from before need no other one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components.machine.host import BASE, Host, content_hash
from components.tls.authority.resource import CertificateAuthority
from components.tls.certificate.resource import ServerCertificate
from components.vllm.stack import FOLDER

PUT_TIMEOUT_S = 180


@dataclass(frozen=True)
class TlsArgs:
    """What a certificate is made for."""

    name: str
    """Of the authority, for people; up to 64 characters."""
    port: int
    """Where a server that runs already has to show a new certificate."""
    is_on: bool = True
    """Without, there is the authority, and nothing of it on the machine."""
    after: Sequence[pulumi.Resource] = ()
    """What has to be done on the machine before: the scripts are there, and no driver step reboots it any more."""
    clock_is_behind: bool = False
    """Of this computer, as far as is known."""


class Tls(pulumi.ComponentResource):
    """`tls.pem` and `ca.pem` in the machine's settings folder; a server that runs shows a new certificate at once."""

    ready: pulumi.Resource | None = None
    """Both files are there, and a server that ran with older ones has read them; None where TLS is off."""
    ca_certificate: pulumi.Output[str]
    """PEM; no secret. What clients have to trust."""
    serial: pulumi.Output[str]
    """Of the certificate that the server shows, hexadecimal; empty where TLS is off."""

    def __init__(self, name: str, host: Host, args: TlsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("lambdavllm:vllm:Tls", name, None, opts)
        own = pulumi.ResourceOptions(parent=self)
        authority = CertificateAuthority(
            f"{name}-authority", {"name": args.name, "clock_is_behind": args.clock_is_behind}, own
        )
        self.ca_certificate = pulumi.Output.unsecret(authority.certificate)
        self.serial = self._put(name, host, args, authority) if args.is_on else pulumi.Output.from_input("")
        self.register_outputs({"ca_certificate": self.ca_certificate})

    def _put(self, name: str, host: Host, args: TlsArgs, authority: CertificateAuthority) -> pulumi.Output[str]:
        """Have a certificate made, and put onto the machine; its serial number."""
        certificate = ServerCertificate(
            f"{name}-certificate",
            {
                "ip": host.ip,
                "ca_certificate": authority.certificate,
                "ca_private_key": pulumi.Output.secret(authority.private_key),
            },
            pulumi.ResourceOptions(parent=self),
        )
        self.ready = host.run(
            f"{name}-files",
            put_command(args.port),
            triggers=[content_hash(FOLDER / "certificate.py", FOLDER / "trust.py")],
            stdin=pulumi.Output.secret(certificate.pem),
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.after)),
        )
        return certificate.serial


def put_command(port: int) -> str:
    """Command that puts the certificate of its input into its place."""
    return f"timeout {PUT_TIMEOUT_S} env -C {BASE} python3 -m scripts.certificate --port {port}"
