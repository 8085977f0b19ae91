"""Certificates as clients read them."""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Network
from typing import TypeVar

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from components.tls.x509 import Issued, is_of_use, issue, new_authority

Extension = TypeVar("Extension", bound=x509.ExtensionType)

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
IP = IPv4Address("203.0.113.7")
AUTHORITY = new_authority("lambda-vllm-test", NOW)


def parsed(issued: Issued) -> x509.Certificate:
    return x509.load_pem_x509_certificate(issued.certificate.encode())


def extension(issued: Issued, kind: type[Extension]) -> x509.Extension[Extension]:
    return parsed(issued).extensions.get_extension_for_class(kind)


def test_the_authority_signs_servers_and_no_further_authority() -> None:
    constraints = extension(AUTHORITY, x509.BasicConstraints)
    assert (constraints.critical, constraints.value.ca, constraints.value.path_length) == (True, True, 0)
    usage = extension(AUTHORITY, x509.KeyUsage)
    assert usage.critical
    assert usage.value.key_cert_sign
    assert not usage.value.digital_signature


def test_who_trusts_the_authority_trusts_it_for_no_website() -> None:
    allowed = extension(AUTHORITY, x509.NameConstraints)
    assert allowed.critical
    assert allowed.value.permitted_subtrees == [x509.DNSName("localhost"), x509.IPAddress(IPv4Network("0.0.0.0/0"))]


def test_the_authority_lasts_ten_years() -> None:
    assert parsed(AUTHORITY).not_valid_after_utc == NOW + timedelta(days=3650)


def test_the_server_is_known_at_its_address_and_at_both_ends_of_a_tunnel() -> None:
    names = extension(issue(AUTHORITY.certificate, AUTHORITY.private_key, IP, NOW), x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.IPAddress) == [IP, IPv4Address("127.0.0.1")]
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]


def test_the_servers_certificate_is_for_servers_alone_and_shorter_than_clients_allow() -> None:
    issued = issue(AUTHORITY.certificate, AUTHORITY.private_key, IP, NOW)
    assert list(extension(issued, x509.ExtendedKeyUsage).value) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert not extension(issued, x509.BasicConstraints).value.ca
    assert issued.not_after - issued.not_before < timedelta(days=397)
    assert issued.not_before < NOW < issued.not_after


def test_keys_are_p256_and_never_the_same() -> None:
    first, second = (issue(AUTHORITY.certificate, AUTHORITY.private_key, IP, NOW) for _ in range(2))
    assert first.private_key != second.private_key
    for issued in (AUTHORITY, first):
        key = parsed(issued).public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        assert isinstance(key.curve, ec.SECP256R1)


@pytest.mark.parametrize(
    "name", [x509.IPAddress(IP), x509.IPAddress(IPv4Address("127.0.0.1")), x509.DNSName("localhost")]
)
def test_a_strict_verifier_accepts_the_chain(name: x509.IPAddress | x509.DNSName) -> None:
    issued = issue(AUTHORITY.certificate, AUTHORITY.private_key, IP, NOW)
    verifier = PolicyBuilder().store(Store([parsed(AUTHORITY)])).time(NOW).build_server_verifier(name)
    assert verifier.verify(parsed(issued), []) == [parsed(issued), parsed(AUTHORITY)]


def test_another_address_and_another_authority_are_refused() -> None:
    issued = issue(AUTHORITY.certificate, AUTHORITY.private_key, IP, NOW)
    builder = PolicyBuilder().time(NOW)
    elsewhere = x509.IPAddress(IPv4Address("203.0.113.8"))
    with pytest.raises(VerificationError):
        builder.store(Store([parsed(AUTHORITY)])).build_server_verifier(elsewhere).verify(parsed(issued), [])
    other = parsed(new_authority("lambda-vllm-test", NOW))
    with pytest.raises(VerificationError):
        builder.store(Store([other])).build_server_verifier(x509.IPAddress(IP)).verify(parsed(issued), [])


def test_the_bundle_fits_into_what_is_written_at_once_with_the_longest_name() -> None:
    authority = new_authority("n" * 64, NOW)
    issued = issue(authority.certificate, authority.private_key, IPv4Address("255.255.255.255"), NOW)
    assert len(issued.private_key + issued.certificate + authority.certificate) < 4096


def test_a_key_that_is_not_the_authoritys_signs_nothing() -> None:
    other = new_authority("other", NOW)
    with pytest.raises(ValueError, match="not the one of its certificate"):
        issue(AUTHORITY.certificate, other.private_key, IP, NOW)


def test_pythons_own_ssl_loads_what_was_made() -> None:
    assert ssl.create_default_context(cadata=AUTHORITY.certificate).get_ca_certs()[0]["notAfter"]


@pytest.mark.parametrize("days", [-29, -1, 0, 29])
def test_a_client_whose_clock_is_weeks_behind_or_ahead_accepts_what_was_made_a_moment_ago(days: int) -> None:
    issued = issue(AUTHORITY.certificate, AUTHORITY.private_key, IP, NOW)
    there = NOW + timedelta(days=days)
    verifier = PolicyBuilder().store(Store([parsed(AUTHORITY)])).time(there).build_server_verifier(x509.IPAddress(IP))
    assert verifier.verify(parsed(issued), [])


def test_a_certificate_is_of_use_from_its_beginning_until_less_is_left_of_it_than_is_needed() -> None:
    begin, end = NOW.isoformat(), (NOW + timedelta(days=90)).isoformat()

    def at(**after: float) -> bool:
        return is_of_use(begin, end, NOW + timedelta(**after), timedelta(days=30))

    assert [at(seconds=-1), at(), at(days=59)] == [False, True, True]
    assert [at(days=61), at(days=91)] == [False, False]
