"""How far this computer's clock is from Lambda's, and what is said when its certificate is refused for that."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from components.lambda_cloud.api.client import LambdaClient
from components.lambda_cloud.api.clocks import ahead_s
from components.lambda_cloud.api.errors import ApiError, NotFromApiError
from components.lambda_cloud.api.limits import Limits, RateLimiter
from components.model.hub.client import Hub, HubError
from components.text.refused_certificate import refused_certificate
from components.tls.x509 import issue, new_authority
from components.vllm.preflight.clock import clock_lines
from tests.support.jumping_clock import JumpingClock
from tests.support.tls_endpoint import endpoint
from tests.unit.conftest import KEY, Script

NOON = "Sun, 29 Nov 2026 12:00:00 GMT"
AT_NOON = datetime(2026, 11, 29, 12, tzinfo=UTC).timestamp()


def client_at(script: Script, seconds: float) -> LambdaClient:
    """A client whose computer's clock stands at so many seconds after noon."""
    return LambdaClient(KEY, script.url, RateLimiter(Limits(), JumpingClock(AT_NOON + seconds)))


@pytest.mark.parametrize("seconds", [7200, -7200])
def test_the_difference_is_known_after_the_first_answer(script: Script, seconds: float) -> None:
    script.date = NOON
    script.data([])
    client = client_at(script, seconds)
    assert client.clock_ahead_s == 0
    client.ssh_keys()
    assert client.clock_ahead_s == pytest.approx(seconds, abs=1)


def test_a_refusal_tells_it_as_well(script: Script) -> None:
    script.date = NOON
    script.error(401, "global/invalid-api-key")
    client = client_at(script, 7200)
    with pytest.raises(ApiError):
        client.ssh_keys()
    assert client.clock_ahead_s == pytest.approx(7200, abs=1)


def test_what_a_slow_answer_and_the_whole_seconds_of_a_date_explain_is_no_difference() -> None:
    assert ahead_s(NOON, AT_NOON + 0.9, AT_NOON + 0.95) == 0
    assert ahead_s(NOON, AT_NOON - 30, AT_NOON + 60) == 0
    assert ahead_s(NOON, AT_NOON + 61, AT_NOON + 90) == 60
    assert ahead_s(NOON, AT_NOON - 90, AT_NOON - 61) == -61


@pytest.mark.parametrize("date", [None, "", "yesterday", "Sun, 99 Nov 2026 12:00:00 GMT"])
def test_an_answer_without_a_date_says_nothing(date: str | None) -> None:
    assert ahead_s(date, AT_NOON, AT_NOON) is None


def test_a_difference_is_one_line_with_the_offset_and_what_to_do() -> None:
    assert clock_lines(0) == clock_lines(299) == clock_lines(-299) == []
    (ahead,), (behind,) = clock_lines(7200), clock_lines(-5400)
    assert ahead.startswith("this computer's clock is 2 h 00 min ahead of Lambda's: set it")
    assert behind.startswith("this computer's clock is 1 h 30 min behind Lambda's: set it")


@pytest.fixture
def long_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """URL of a server whose certificate has ended, of an authority that this computer trusts."""
    then = datetime.now(UTC) - timedelta(days=400)
    authority = new_authority("test", then)
    made = issue(authority.certificate, authority.private_key, IPv4Address("127.0.0.1"), then)
    (tmp_path / "tls.pem").write_text(made.private_key + made.certificate + authority.certificate)
    (tmp_path / "ca.pem").write_text(authority.certificate)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    with endpoint(tmp_path / "tls.pem") as server:
        yield f"https://127.0.0.1:{server.port}"


def test_a_clock_that_is_so_wrong_that_lambdas_certificate_is_refused_is_named(long_over: str, script: Script) -> None:
    script.url = long_over
    with pytest.raises(NotFromApiError) as error:
        client_at(script, 0).add_ssh_key("n", "ssh-ed25519 A")
    assert "certificate has expired: is this computer's clock right? It says 2026-11-29 12:00 UTC" in str(error.value)
    assert "\n" not in str(error.value)


def test_and_the_hubs_too(long_over: str, clock: JumpingClock) -> None:
    with pytest.raises(HubError, match="certificate has expired: is this computer's clock right"):
        Hub(long_over, "", clock).resolve("a/b", "main")


def test_another_reason_to_refuse_a_certificate_is_told_without_the_clock() -> None:
    text = "certificate verify failed: self-signed certificate in certificate chain (_ssl.c:1006)"
    assert refused_certificate(OSError(f"[SSL: X] {text}"), lambda: AT_NOON) == (
        "its certificate is refused, self-signed certificate in certificate chain"
    )
    assert refused_certificate(OSError("something else"), lambda: AT_NOON) is None
