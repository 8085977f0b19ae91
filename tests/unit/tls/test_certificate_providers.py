"""When authorities and certificates are made anew, and when not."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from components.dynamic.errors import ResourceError
from components.tls.authority.provider import CertificateAuthorityProvider
from components.tls.certificate.provider import ServerCertificateProvider
from components.tls.x509 import new_authority

MADE = datetime(2026, 11, 24, 12, tzinfo=UTC)
AUTHORITY = new_authority("test", MADE)
INPUTS = {"ip": "203.0.113.7", "ca_certificate": AUTHORITY.certificate, "ca_private_key": AUTHORITY.private_key}


class LaterServerCertificates(ServerCertificateProvider):
    """Some days after `MADE`."""

    days = 0

    def clock(self) -> datetime:
        return MADE + timedelta(days=self.days)


class LaterAuthorities(CertificateAuthorityProvider):
    """The same for authorities."""

    days = 0

    def clock(self) -> datetime:
        return MADE + timedelta(days=self.days)


def made_certificate() -> dict[str, Any]:
    return LaterServerCertificates().create(INPUTS).outs or {}


def certificates_after(days: int) -> ServerCertificateProvider:
    provider = LaterServerCertificates()
    provider.days = days
    return provider


def test_a_certificate_stays_while_more_than_a_third_of_its_life_is_left() -> None:
    diff = certificates_after(240).diff("id", made_certificate(), INPUTS)
    assert (diff.changes, diff.replaces) == (False, [])


@pytest.mark.parametrize("days", [245, 364, 800])
def test_a_certificate_is_renewed_when_less_than_a_third_of_its_life_is_left_or_none(days: int) -> None:
    diff = certificates_after(days).diff("id", made_certificate(), INPUTS)
    assert (diff.changes, diff.replaces) == (True, [])


@pytest.mark.parametrize("days", [-29, -2, 29])
def test_a_clock_that_is_days_or_weeks_off_is_no_reason_for_another_certificate_or_authority(days: int) -> None:
    assert not certificates_after(days).diff("id", made_certificate(), INPUTS).changes
    authorities = LaterAuthorities()
    state = authorities.create({"name": "test"}).outs or {}
    authorities.days = days
    assert not authorities.diff("id", state, {"name": "test"}).changes


def test_what_a_clock_far_ahead_has_made_is_made_anew_by_one_that_is_right() -> None:
    ahead = certificates_after(400)
    diff = certificates_after(0).diff("id", ahead.create(INPUTS).outs or {}, INPUTS)
    assert (diff.changes, diff.replaces) == (True, [])
    authorities = LaterAuthorities()
    authorities.days = 400
    state = authorities.create({"name": "test"}).outs or {}
    authorities.days = 0
    assert authorities.diff("id", state, {"name": "test"}).replaces == ["not_before"]


def test_a_renewed_certificate_counts_from_now_for_the_same_key() -> None:
    old = made_certificate()
    later = certificates_after(245)
    new = later.update("id", old, INPUTS).outs or {}
    assert new["pem"] != old["pem"]
    assert new["serial"] != old["serial"]
    assert new["pem"].partition("-----BEGIN CERT")[0] == old["pem"].partition("-----BEGIN CERT")[0]
    assert new["not_after"] == (MADE + timedelta(days=245 + 365)).isoformat()
    assert not later.diff("id", new, INPUTS).changes


def test_another_address_wants_another_certificate() -> None:
    diff = certificates_after(0).diff("id", made_certificate(), {**INPUTS, "ip": "203.0.113.8"})
    assert diff.replaces == ["ip"]


def test_another_authority_wants_another_certificate() -> None:
    other = new_authority("other", MADE)
    inputs = {**INPUTS, "ca_certificate": other.certificate, "ca_private_key": other.private_key}
    assert set(certificates_after(0).diff("id", made_certificate(), inputs).replaces or []) == {
        "ca_certificate",
        "ca_private_key",
    }


def test_the_bundle_is_key_certificate_and_authority_and_nothing_else_holds_a_key() -> None:
    outputs = made_certificate()
    assert outputs["pem"].startswith("-----BEGIN PRIVATE KEY-----")
    assert outputs["pem"].endswith(AUTHORITY.certificate)
    assert outputs["pem"].count("-----BEGIN CERTIFICATE-----") == 2
    assert AUTHORITY.private_key not in str(outputs)
    assert "PRIVATE KEY" not in str({name: value for name, value in outputs.items() if name != "pem"})


@pytest.mark.parametrize("ip", ["machine.example", "203.0.113.7/32", "::1", ""])
def test_what_is_no_ipv4_address_is_refused_in_the_preview(ip: str) -> None:
    failures = ServerCertificateProvider().check({}, {**INPUTS, "ip": ip}).failures
    assert [failure.property for failure in failures or []] == ["ip"]


def test_an_authority_that_cannot_be_read_is_one_line_without_its_key() -> None:
    with pytest.raises(ResourceError) as error:
        LaterServerCertificates().create({**INPUTS, "ca_private_key": "-----BEGIN PRIVATE KEY-----\nsecret"})
    assert "cannot be read" in str(error.value)
    assert "secret" not in str(error.value)
    assert "\n" not in str(error.value)


def test_an_authority_keeps_signing_until_it_would_end_before_what_it_signs() -> None:
    provider = LaterAuthorities()
    state = provider.create({"name": "test"}).outs or {}
    for days, replaced in ((0, []), (3249, []), (3251, ["not_after"])):
        provider.days = days
        assert provider.diff("id", state, {"name": "test"}).replaces == replaced


def test_another_authority_is_said_beforehand_since_all_clients_need_it(capsys: pytest.CaptureFixture[str]) -> None:
    provider = LaterAuthorities()
    state = provider.create({"name": "test"}).outs or {}
    provider.diff("id", state, {"name": "test"})
    assert capsys.readouterr().out == ""
    provider.days = 3300
    provider.diff("id", state, {"name": "test"})
    said = "the stack gets another authority in the place of its own, which ends on 2036-11-21: clients need the new"
    assert capsys.readouterr().out == f"{said} ca_certificate\n"


def test_a_renamed_stack_keeps_its_authority() -> None:
    provider = LaterAuthorities()
    state = provider.create({"name": "test"}).outs or {}
    assert not provider.diff("id", state, {"name": "another"}).changes


@pytest.mark.parametrize("name", ["", "n" * 65, "two\nlines"])
def test_a_name_that_no_certificate_can_bear_is_refused_in_the_preview(name: str) -> None:
    assert LaterAuthorities().check({}, {"name": name}).failures


def test_a_clock_that_is_known_to_be_behind_takes_no_authority_away_from_its_clients() -> None:
    made = LaterAuthorities().create({"name": "test"}).outs or {}
    authorities = LaterAuthorities()
    authorities.days = -60
    assert authorities.diff("id", made, {"name": "test"}).replaces == ["not_before"]
    assert not authorities.diff("id", made, {"name": "test", "clock_is_behind": True}).changes
