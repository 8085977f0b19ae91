"""What a client is told whose check of the certificate fails: by whom, over the wire, with the offset of the clocks."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from components.dynamic.errors import ResourceError
from components.on_machine.service.generations import Generation
from components.on_machine.service.probe import DISTRUST_S, NotReadyError, Probe, TrustError
from components.on_machine.shared.paths import Places
from components.on_machine.tls.trust import BACKDATED_S, Distrust, distrust_of, offset
from components.tls.x509 import Issued, issue, new_authority
from components.vllm.endpoint_check.probe import EndpointError, Expected, probe
from components.vllm.endpoint_check.provider import EndpointCheckProvider
from ops import bench_on_machine
from ops.errors import OpsError
from ops.server import Server
from tests.support.tls_endpoint import KEY, MODEL, Endpoint, endpoint

NOW = datetime.now(UTC).replace(microsecond=0)
HERE = IPv4Address("127.77.1.1")
DAY = timedelta(days=1)


def now() -> float:
    return NOW.timestamp()


@contextmanager
def showing(authority: Issued, certificate: Issued, folder: Path) -> Iterator[Endpoint]:
    """A server of that certificate, with `ca.pem` beside it, and a clock that is right."""
    (folder / "ca.pem").write_text(authority.certificate)
    (folder / "tls.pem").write_text(certificate.private_key + certificate.certificate + authority.certificate)
    with endpoint(folder / "tls.pem") as server:
        server.clock = now
        yield server


@contextmanager
def made(at: datetime, folder: Path, ip: IPv4Address = HERE) -> Iterator[Endpoint]:
    """A server of an authority and a certificate that were made then, for an address."""
    authority = new_authority("test", at)
    with showing(authority, issue(authority.certificate, authority.private_key, ip, at), folder) as server:
        yield server


def expected(folder: Path) -> Expected:
    return Expected(MODEL, KEY, (folder / "ca.pem").read_text())


def why(server: Endpoint, folder: Path, name: str = "127.0.0.1") -> str:
    """What `this computer` is told, that asks under a name."""
    found = distrust_of("127.0.0.1", server.port, (folder / "ca.pem").read_text(), name, 10, now)
    assert found is not None
    said = found.why("this computer", name)
    assert "\n" not in said
    return said


def test_who_trusts_it_is_told_nothing_and_neither_is_who_meets_no_server(tmp_path: Path) -> None:
    with made(NOW, tmp_path) as server:
        port = server.port
        assert distrust_of("127.0.0.1", port, expected(tmp_path).ca_certificate, "127.0.0.1", 10, now) is None
    assert distrust_of("127.0.0.1", port, expected(tmp_path).ca_certificate, "127.0.0.1", 10, now) is None


def test_a_clock_that_was_far_ahead_when_the_certificate_was_made_is_named_with_its_offset(tmp_path: Path) -> None:
    with made(NOW + 40 * DAY, tmp_path) as server:
        begins = (NOW + 40 * DAY - timedelta(seconds=BACKDATED_S)).strftime("%Y-%m-%d %H:%M UTC")
        said = why(server, tmp_path)
    assert f"a certificate that counts from {begins} on" in said
    assert "the clock of the computer that ran `pulumi up` is 40 days 0 h 00 min ahead of that: set it" in said


def test_a_clock_of_the_client_that_is_wrong_is_named_with_its_offset(tmp_path: Path) -> None:
    """The client's clock is that of this test: what differs from it is the server's."""
    with made(NOW + 40 * DAY, tmp_path) as server:
        server.clock = lambda: (NOW + 40 * DAY).timestamp()
        assert "this computer's clock is 40 days 0 h 00 min behind the machine's: set it" in why(server, tmp_path)
    with made(NOW - 400 * DAY, tmp_path) as server:
        server.clock = lambda: (NOW - 399 * DAY).timestamp()
        assert "this computer's clock is 399 days 0 h 00 min ahead of the machine's: set it" in why(server, tmp_path)


def test_a_certificate_that_has_ended_is_told_with_what_makes_another(tmp_path: Path) -> None:
    with made(NOW - 400 * DAY, tmp_path) as server:
        ended = (NOW - 35 * DAY).strftime("%Y-%m-%d %H:%M UTC")
        assert f"a certificate that ended on {ended}" in (said := why(server, tmp_path))
    assert "`pulumi up` makes another one" in said


def test_an_authority_that_does_not_count_yet_is_told_like_its_certificates(tmp_path: Path) -> None:
    authority = new_authority("test", NOW + 40 * DAY)
    certificate = issue(authority.certificate, authority.private_key, HERE, NOW)
    with showing(authority, certificate, tmp_path) as server:
        assert "is 40 days 0 h 00 min ahead" in why(server, tmp_path)


def test_another_address_and_another_authority_are_told_apart_and_the_latter_is_asked_nothing(tmp_path: Path) -> None:
    with made(NOW, tmp_path) as server:
        named = "a certificate that is this stack's, for 127.77.1.1, 127.0.0.1, localhost, and not for elsewhere"
        assert named in why(server, tmp_path, "elsewhere")
        server.asked.clear()
        (tmp_path / "ca.pem").write_text(new_authority("test", NOW).certificate)
        assert "not this stack's" in why(server, tmp_path)
        assert server.asked == []


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (7200, "2 h 00 min ahead of"),
        (-5430, "1 h 30 min behind"),
        (86400 * 2 + 3600, "2 days 1 h 00 min ahead of"),
        (-86400, "1 day 0 h 00 min behind"),
    ],
)
def test_an_offset_is_said_in_hours_and_minutes(seconds: float, said: str) -> None:
    assert offset(seconds) == said


def test_the_look_from_the_users_computer_says_it_at_once(tmp_path: Path) -> None:
    with made(NOW + 40 * DAY, tmp_path) as server, pytest.raises(EndpointError) as error:
        probe("127.0.0.1", server.port, expected(tmp_path), now)
    assert f"https://127.0.0.1:{server.port} shows a certificate that counts from" in str(error.value)
    assert "ahead of that: set it" in str(error.value)


def test_a_difference_of_clocks_that_does_no_harm_is_told_after_the_look(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Check(EndpointCheckProvider):
        def clock(self) -> float:
            return now()

    with made(NOW, tmp_path) as server:
        inputs = {
            "ip": "127.0.0.1", "port": server.port, "model": MODEL, "api_key": KEY, "allowed_cidrs": ["127.0.0.0/8"],
            "ca_certificate": expected(tmp_path).ca_certificate, "ssh_port": 22, "private_key": "", "served": "",
            "public_host_key": "",
        }  # fmt: skip
        Check().create(inputs)
        assert "clock" not in capsys.readouterr().out
        server.clock = lambda: now() - 7200
        Check().create(inputs)
        assert "this computer's clock is 2 h 00 min ahead of the machine's: set it\n" in capsys.readouterr().out
    with made(NOW - 400 * DAY, tmp_path) as server, pytest.raises(ResourceError, match="ended on"):
        Check().create({**inputs, "port": server.port, "ca_certificate": expected(tmp_path).ca_certificate})


def probe_of(server: Endpoint, folder: Path, times: list[float]) -> Probe:
    """The machine's own, whose stop watch shows these seconds, the last one for ever."""
    config = {"model": MODEL, "served-model-name": [MODEL], "port": server.port}
    (folder / "vllm.yaml").write_text(json.dumps(config))
    (folder / "setting.json").write_text('{"tls": true}')
    here = Places(folder)
    here.settings.mkdir(parents=True)
    here.api_keys.write_text(f"{KEY}\n")
    here.authority.write_text((folder / "ca.pem").read_text())
    return Probe(Generation("key", folder), here, lambda: times.pop(0) if len(times) > 1 else times[0])


def test_the_machine_gives_a_server_up_whose_certificate_no_client_will_trust(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BIND_ADDRESS", raising=False)
    with made(NOW + 40 * DAY, tmp_path) as server:
        probe = probe_of(server, tmp_path, [0.0, DISTRUST_S - 1, DISTRUST_S])
        assert not probe.is_ready()
        assert not probe.is_ready()
        with pytest.raises(TrustError, match=r"the server shows a certificate that counts from .* set it") as error:
            probe.is_ready()
    assert isinstance(error.value, NotReadyError)


def test_the_machine_waits_while_a_new_certificate_is_on_its_way_into_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BIND_ADDRESS", raising=False)
    with made(NOW, tmp_path) as server:
        probe = probe_of(server, tmp_path, [0.0, DISTRUST_S + 1])
        Places(tmp_path).authority.write_text(new_authority("next", NOW).certificate)
        assert not probe.is_ready()
        Places(tmp_path).authority.write_text(authority_of(tmp_path))
        assert probe.is_ready()
        # Another one, an hour later, has its time too.
        Places(tmp_path).authority.write_text(new_authority("next", NOW).certificate)
        assert not probe.is_ready()


def authority_of(folder: Path) -> str:
    """The last certificate of the bundle."""
    _, begin, last = (folder / "tls.pem").read_text().rpartition("-----BEGIN CERTIFICATE-----")
    return begin + last


def test_the_commands_for_every_day_say_it_too(tmp_path: Path) -> None:
    with made(NOW - 400 * DAY, tmp_path) as server:
        way = Server(f"https://127.0.0.1:{server.port}/v1", KEY, tmp_path / "ca.pem")
        for ask in (way.metrics, lambda: next(way.stream("/completions", {}))):
            with pytest.raises(OpsError) as error:
                ask()
            assert re.search(r"shows a certificate that ended on .*`pulumi up` makes another one$", str(error.value))


def test_a_benchmark_is_not_begun_where_no_request_would_be_answered(tmp_path: Path) -> None:
    said = "error: the server shows a certificate that ended on"
    with made(NOW - 400 * DAY, tmp_path) as server, pytest.raises(SystemExit, match=said):
        bench_on_machine.check_trust("127.0.0.1", server.port, tmp_path / "ca.pem")
    with made(NOW, tmp_path) as server:
        bench_on_machine.check_trust("127.0.0.1", server.port, tmp_path / "ca.pem")


def test_how_long_a_server_runs_is_told_by_its_own_clock(tmp_path: Path) -> None:
    with made(NOW, tmp_path) as server:
        server.clock = lambda: now() - 7200
        way = Server(f"https://127.0.0.1:{server.port}/v1", KEY, tmp_path / "ca.pem")
        assert way.clock is None
        way.metrics()
        assert way.clock == now() - 7200


@pytest.mark.parametrize("authority", ["PEM", "", "\N{BULLET}"])
def test_what_is_no_certificate_of_an_authority_is_left_to_others_to_say(tmp_path: Path, authority: str) -> None:
    with made(NOW, tmp_path) as server:
        assert distrust_of("127.0.0.1", server.port, authority, "127.0.0.1", 10, now) is None


def told_of(code: int, begins: float | None, ends: float | None, server_clock: float, asked_at: float) -> str:
    return Distrust(code, "refused", begins, ends, (), server_clock, asked_at).why("this computer", "localhost")


def test_a_small_difference_of_clocks_is_not_blamed_for_a_certificate_that_has_ended_for_both() -> None:
    ended = 1_000_000.0
    assert "`pulumi up` makes another one" in told_of(10, 0.0, ended, ended + 90_000, ended + 90_400)
    assert "clock is 0 h 07 min ahead of the machine's: set it" in told_of(10, 0.0, ended, ended - 100, ended + 300)


def test_a_certificate_of_a_broken_handshake_is_not_taken_for_another_stacks() -> None:
    told = told_of(9, None, None, 0.0, 0.0)
    assert "not this stack's" not in told
    assert "run `pulumi up` again" in told


def test_one_that_was_just_made_and_has_ended_was_made_by_a_clock_that_is_behind() -> None:
    found = Distrust(10, "expired", 0.0, 100.0, (), None, 1_000_000.0)
    told = found.why("this machine", "localhost", just_made=True)
    assert "the clock of the computer that ran `pulumi up` is behind: set it" in told
