"""certificate.py, the script that puts a certificate into its place on the machine."""

import sys
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from components.on_machine.shared.paths import Places
from components.on_machine.shared.work import WorkError
from components.on_machine.tls import certificate
from components.tls.x509 import issue, new_authority
from tests.support.jumping_clock import JumpingClock
from tests.support.tls_endpoint import endpoint

NOW = datetime.now(UTC)
AUTHORITY = new_authority("test", NOW)


KEY = issue(AUTHORITY.certificate, AUTHORITY.private_key, IPv4Address("203.0.113.7"), NOW).private_key


def bundle() -> str:
    """Key, certificate and authority; another certificate each time, for the same key as after a renewal."""
    made = issue(AUTHORITY.certificate, AUTHORITY.private_key, IPv4Address("203.0.113.7"), NOW, KEY)
    return made.private_key + made.certificate + AUTHORITY.certificate


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tls.pem"


def test_the_file_stays_the_same_one_since_vllm_watches_it_and_not_its_name(file: Path) -> None:
    certificate.write_over(file, bundle())
    first = file.stat()
    new = bundle()
    certificate.write_over(file, new)
    assert file.stat().st_ino == first.st_ino
    assert file.read_text().strip() == new.strip()
    assert file.stat().st_mode & 0o777 == 0o600


def test_whoever_reads_it_meanwhile_gets_a_key_with_its_certificate(file: Path) -> None:
    """Read between any two steps of Python: a reader in another thread would see such a moment only by luck."""
    old, new = bundle(), bundle()
    certificate.write_over(file, old)
    found: list[str] = []

    def read(frame: FrameType, event: str, argument: Any) -> Any:
        frame.f_trace_opcodes = True
        found.append(file.read_text().strip())
        return read

    tracer = sys.gettrace()
    sys.settrace(read)
    try:
        certificate.write_over(file, new)
    finally:
        sys.settrace(tracer)
    assert list(dict.fromkeys(found)) == [old.strip(), new.strip()]


def test_a_file_that_another_program_wrote_is_replaced_whole(file: Path) -> None:
    file.write_text("something longer\n" * 1000)
    new = bundle()
    certificate.write_over(file, new)
    assert file.read_text().strip() == new.strip()


def test_more_than_is_written_at_once_is_refused_and_the_old_one_stays(file: Path) -> None:
    certificate.write_over(file, "old")
    with pytest.raises(WorkError, match="4096"):
        certificate.write_over(file, "x" * 4097)
    assert file.read_text().strip() == "old"


def test_a_server_that_runs_has_to_show_the_new_certificate(file: Path) -> None:
    certificate.write_over(file, bundle())
    with endpoint(file) as server:
        new = bundle()
        certificate.write_over(file, new)
        assert certificate.wait_until_shown("127.0.0.1", server.port, file, new)


def test_a_server_that_missed_the_write_is_written_to_again_some_seconds_later(file: Path) -> None:
    certificate.write_over(file, bundle())
    new, clock = bundle(), JumpingClock()
    with endpoint(file) as server:
        assert certificate.wait_until_shown("127.0.0.1", server.port, file, new, clock.monotonic, clock.sleep)
    assert certificate.WRITE_AGAIN_S <= sum(clock.slept) < 2 * certificate.WRITE_AGAIN_S


def test_a_server_that_never_takes_it_is_an_error_with_what_to_do(
    file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(certificate, "SHOWN_WITHIN_S", 3.0)
    other, clock = tmp_path / "other.pem", JumpingClock()
    certificate.write_over(other, bundle())
    with endpoint(other) as server, pytest.raises(WorkError, match="still shows another certificate after 3 s"):
        certificate.wait_until_shown("127.0.0.1", server.port, file, bundle(), clock.monotonic, clock.sleep)
    assert sum(clock.slept) > 3.0


def test_nothing_is_waited_for_where_no_server_runs_or_one_that_will_be_started_anew(file: Path) -> None:
    with endpoint(None) as plain:
        port = plain.port
        assert not certificate.wait_until_shown("127.0.0.1", port, file, bundle())
    assert not certificate.wait_until_shown("127.0.0.1", port, file, bundle())


@pytest.mark.parametrize("text", ["", "no certificate", AUTHORITY.certificate, AUTHORITY.certificate * 3])
def test_what_is_no_key_certificate_and_authority_is_refused(text: str) -> None:
    with pytest.raises(WorkError, match="the input has to be"):
        certificate.certificates(text)


def made(at: datetime, key: str = KEY) -> str:
    """A bundle of an authority and a certificate that were made at that time."""
    authority = new_authority("test", at)
    issued = issue(authority.certificate, authority.private_key, IPv4Address("203.0.113.7"), at, key)
    return issued.private_key + issued.certificate + authority.certificate


@pytest.mark.parametrize("days", [-29, 0, 29])
def test_what_was_made_by_a_clock_that_is_weeks_off_is_put_in_its_place(days: int) -> None:
    certificate.check(made(NOW + timedelta(days=days)), NOW.timestamp)


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (60, "counts from .* on, .* is 60 days 0 h 00 min ahead"),
        (-400, "ended on "),
    ],
)
def test_a_certificate_that_this_machines_clock_refuses_is_told_and_the_old_one_stays(
    days: int, said: str, tmp_path: Path
) -> None:
    here = Places(tmp_path)
    here.settings.mkdir(parents=True)
    old = bundle()
    certificate.write_over(here.certificate, old)
    with pytest.raises(WorkError, match=said) as told:
        certificate.put(made(NOW + timedelta(days=days)), 1, here, NOW.timestamp)
    assert "\n" not in str(told.value)
    assert here.certificate.read_text().strip() == old.strip()


def test_a_key_that_is_not_the_certificates_is_refused_before_it_is_put_in_its_place() -> None:
    other = issue(AUTHORITY.certificate, AUTHORITY.private_key, IPv4Address("203.0.113.7"), NOW).private_key
    with pytest.raises(WorkError, match="do not belong together"):
        certificate.check(other + bundle().removeprefix(KEY), NOW.timestamp)
