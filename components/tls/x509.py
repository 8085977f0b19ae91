"""Certificates of a stack's own authority. Pure: the time is given, and nothing is read or sent."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING

from components.on_machine.tls.trust import BACKDATED_S

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

AUTHORITY_LIFE = timedelta(days=3650)

SERVER_LIFE = timedelta(days=365)
"""From when it is made. Browsers and Apple's clients refuse more than 397 days in all, of other authorities than public
ones up to 825."""

CLOCKS_DIFFER = timedelta(seconds=BACKDATED_S)
"""A certificate counts from before it was made: the clock of the computer that makes it may be ahead of the machine's
and of its clients'. With it a server's certificate lasts 395 days, which those still accept."""

LOOPBACK = IPv4Address("127.0.0.1")
"""Where the `tunnel` output brings the endpoint."""


def now() -> datetime:
    """The time, to the second as certificates have it."""
    return datetime.fromtimestamp(int(time.time()), UTC)


@dataclass(frozen=True)
class Issued:
    """A certificate and its private key, both PEM."""

    certificate: str
    private_key: str
    serial: int
    not_before: datetime
    not_after: datetime


def is_of_use(not_before: str, not_after: str, time: datetime, needed: timedelta) -> bool:
    """Whether a certificate counts already, and for as long as is needed; its ends are ISO 8601."""
    return datetime.fromisoformat(not_before) <= time <= datetime.fromisoformat(not_after) - needed


def new_authority(name: str, time: datetime) -> Issued:
    """A new authority of that common name, valid for ten years.

    It can sign for IPv4 addresses and for `localhost`: whoever trusts it for this endpoint trusts it for no website.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    whole_internet = x509.IPAddress(IPv4Network("0.0.0.0/0"))
    builder = (
        _named(x509.CertificateBuilder(), name, name, key, time, AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.NameConstraints([x509.DNSName("localhost"), whole_internet], None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return _signed(builder, key, key)


def issue(
    authority_certificate: str, authority_key: str, ip: IPv4Address, time: datetime, private_key: str | None = None
) -> Issued:
    """A certificate for a server at that address, at 127.0.0.1 and at `localhost`; for a new key unless one is given.

    `ValueError` when one of them cannot be read, or the authority's key and certificate do not belong together.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID

    authority = x509.load_pem_x509_certificate(authority_certificate.encode())
    signer = _read_key(authority_key)
    if signer.public_key() != authority.public_key():
        raise ValueError("the key of the authority is not the one of its certificate")
    key = _read_key(private_key) if private_key else ec.generate_private_key(ec.SECP256R1())
    addresses = [x509.IPAddress(one) for one in dict.fromkeys([ip, LOOPBACK])]
    issuer = str(authority.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value)
    builder = (
        _named(x509.CertificateBuilder(), str(ip), issuer, key, time, SERVER_LIFE)
        .add_extension(x509.SubjectAlternativeName([*addresses, x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    return _signed(builder, key, signer)


def _read_key(pem: str) -> "EllipticCurvePrivateKey":
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = load_pem_private_key(pem.encode(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("the key is not one of an elliptic curve")
    return key


def _named(
    builder: "x509.CertificateBuilder",
    subject: str,
    issuer: str,
    key: "EllipticCurvePrivateKey",
    time: datetime,
    life: timedelta,
) -> "x509.CertificateBuilder":
    from cryptography import x509

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    return (
        builder.subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(time - CLOCKS_DIFFER)
        .not_valid_after(time + life)
    )


def _usage(*, signs_certificates: bool) -> "x509.KeyUsage":
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _signed(
    builder: "x509.CertificateBuilder", key: "EllipticCurvePrivateKey", signer: "EllipticCurvePrivateKey"
) -> Issued:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    certificate = builder.sign(signer, hashes.SHA256())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Issued(
        certificate.public_bytes(Encoding.PEM).decode(),
        private.decode(),
        certificate.serial_number,
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
    )
