"""TLS of the endpoint: an authority for the stack, a certificate for the machine, both on the machine."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components.machine.host import BASE, Host, content_hash
from components.vllm.certificate_authority import CertificateAuthority
from components.vllm.server_certificate import ServerCertificate
from components.vllm.stack import FOLDER

PUT_TIMEOUT_S = 180


@dataclass(frozen=True)
class TlsArgs:
    """What a certificate is made for."""

    name: str
    """Of the authority, for people; up to 64 characters."""
    port: int
    """Where a server that runs already has to show a new certificate."""
    after: Sequence[pulumi.Resource] = ()
    """What has to be done on the machine before: the scripts are there, and no driver step reboots it any more."""


class Tls(pulumi.ComponentResource):
    """`tls.pem` and `ca.pem` in the machine's settings folder; a server that runs shows a new certificate at once."""

    ready: pulumi.Resource
    """Both files are there, and a server that ran with older ones has read them."""
    ca_certificate: pulumi.Output[str]
    """PEM; no secret. What clients have to trust."""
    serial: pulumi.Output[str]
    """Of the certificate that the server shows, hexadecimal."""

    def __init__(self, name: str, host: Host, args: TlsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("lambdavllm:vllm:Tls", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        authority = CertificateAuthority(f"{name}-authority", {"name": args.name}, child)
        certificate = ServerCertificate(
            f"{name}-certificate",
            {
                "ip": host.ip,
                "ca_certificate": authority.certificate,
                "ca_private_key": pulumi.Output.secret(authority.private_key),
            },
            child,
        )
        self.ready = host.run(
            f"{name}-files",
            put_command(args.port),
            triggers=[content_hash(FOLDER / "certificate.py", FOLDER / "trust.py")],
            stdin=pulumi.Output.secret(certificate.pem),
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.after)),
        )
        self.ca_certificate = pulumi.Output.unsecret(authority.certificate)
        self.serial = certificate.serial
        self.register_outputs({"ca_certificate": self.ca_certificate})


def put_command(port: int) -> str:
    """Command that puts the certificate of its input into its place."""
    return f"timeout {PUT_TIMEOUT_S} env -C {BASE} python3 -m scripts.certificate --port {port}"
