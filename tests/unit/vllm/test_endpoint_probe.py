"""What the look from the user's computer accepts, and in which words it refuses."""

from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path
from typing import Self

import pytest

from components.dynamic.errors import ResourceError
from components.machine.ssh_tunnel import TunnelError
from components.tls.x509 import issue, new_authority
from components.vllm.endpoint_check import provider as endpoint_check_provider
from components.vllm.endpoint_check.probe import EndpointError, Expected, probe
from components.vllm.endpoint_check.provider import EndpointCheckProvider
from tests.support.tls_endpoint import KEY, MODEL, Endpoint, endpoint

NOW = datetime.now(UTC)
AUTHORITY = new_authority("test", NOW)
EXPECTED = Expected(MODEL, KEY, AUTHORITY.certificate)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = issue(AUTHORITY.certificate, AUTHORITY.private_key, IPv4Address("127.77.1.1"), NOW)
    file = tmp_path_factory.mktemp("tls") / "tls.pem"
    file.write_text(made.private_key + made.certificate + AUTHORITY.certificate)
    return file


@pytest.fixture
def server(certificate: Path) -> Iterator[Endpoint]:
    with endpoint(certificate) as running:
        yield running


def inputs(port: int) -> dict[str, object]:
    return {
        "ip": "127.0.0.1",
        "port": port,
        "model": MODEL,
        "api_key": KEY,
        "ca_certificate": AUTHORITY.certificate,
        "allowed_cidrs": ["127.0.0.0/8"],
        "ssh_port": 22,
        "private_key": "-----BEGIN OPENSSH PRIVATE KEY-----",
        "public_host_key": "ssh-ed25519 AAAA",
        "served": "a",
    }


def test_an_endpoint_that_is_right_passes(server: Endpoint) -> None:
    probe("127.0.0.1", server.port, EXPECTED)


def test_plain_http_passes_where_tls_is_off() -> None:
    with endpoint(None) as plain:
        probe("127.0.0.1", plain.port, Expected(MODEL, KEY, ""))


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/health open", 503, "/health answers 503 without the key"),
        ("/v1/models", 401, "/v1/models answers 401 with the key"),
        ("/v1/completions", 500, "/v1/completions answers 500 with the key"),
        ("/v1/models open", 200, "/v1/models answers 200 without the key, and 401 is right"),
    ],
)
def test_a_wrong_answer_is_one_line_with_path_and_status(server: Endpoint, path: str, status: int, said: str) -> None:
    server.wrong = {path: status}
    with pytest.raises(EndpointError) as error:
        probe("127.0.0.1", server.port, EXPECTED)
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert KEY not in str(error.value)


def test_another_model_is_named(server: Endpoint) -> None:
    server.model = "another/model"
    with pytest.raises(EndpointError, match=f"does not name {MODEL}"):
        probe("127.0.0.1", server.port, EXPECTED)


def test_a_certificate_of_another_authority_is_refused_and_no_key_is_sent_there(server: Endpoint) -> None:
    other = new_authority("test", NOW).certificate
    with pytest.raises(EndpointError, match="not this stack's"):
        probe("127.0.0.1", server.port, Expected(MODEL, KEY, other))


def test_a_certificate_for_another_address_is_refused(certificate: Path) -> None:
    said = r"for 127\.77\.1\.1, 127\.0\.0\.1, localhost, and not for 127\.77\.1\.2"
    with endpoint(certificate, "127.77.1.2") as elsewhere, pytest.raises(EndpointError, match=said):
        probe("127.77.1.2", elsewhere.port, EXPECTED)


def test_a_server_without_tls_where_tls_is_meant_to_be_is_refused() -> None:
    with endpoint(None) as plain, pytest.raises(EndpointError, match="gives no answer"):
        probe("127.0.0.1", plain.port, EXPECTED)


def test_the_check_says_from_where_it_saw_the_model_and_keeps_no_secret(server: Endpoint) -> None:
    outputs = EndpointCheckProvider().create(inputs(server.port)).outs or {}
    assert outputs["reachable"] == "from here"
    assert KEY not in str(outputs)
    assert "PRIVATE KEY" not in str(outputs)


def test_an_open_port_that_should_be_closed_is_told(
    server: Endpoint, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(EndpointCheckProvider, "opening_s", 0.0)
    outputs = EndpointCheckProvider().create({**inputs(server.port), "allowed_cidrs": []}).outs or {}
    assert outputs["reachable"] == "from here"
    assert f"port {server.port} answers this computer though allowedCidrs is empty" in capsys.readouterr().out


def test_an_endpoint_that_is_wrong_fails_the_update(server: Endpoint) -> None:
    server.wrong = {"/v1/models open": 200}
    with pytest.raises(ResourceError, match="without the key"):
        EndpointCheckProvider().create(inputs(server.port))


def test_a_closed_endpoint_of_a_machine_that_takes_no_ssh_fails_the_update_and_says_why() -> None:
    with endpoint(None) as gone:
        port = gone.port
    with pytest.raises(ResourceError) as error:
        EndpointCheckProvider().create({**inputs(port), "ssh_port": port, "allowed_cidrs": []})
    told = (
        f"no SSH tunnel to 127.0.0.1: ssh: connect to host 127.0.0.1 port {port}: Connection refused; run `pulumi up`"
    )
    assert told in str(error.value)


def test_a_hiccup_of_the_network_is_no_failure_of_the_look(server: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    class Direct:
        port = server.port

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            pass

    hiccups = [TunnelError("Connection closed")]

    def open_tunnel(*_: object) -> Direct:
        if hiccups:
            raise hiccups.pop()
        return Direct()

    with endpoint(None) as gone:
        port = gone.port
    monkeypatch.setattr(endpoint_check_provider, "open_tunnel", open_tunnel)
    outputs = EndpointCheckProvider().create({**inputs(port), "allowed_cidrs": []}).outs or {}
    assert outputs["reachable"] == "through the tunnel"


def test_an_endpoint_that_closes_under_the_look_is_taken_for_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    with endpoint(None) as gone:
        port = gone.port
    monkeypatch.setattr(endpoint_check_provider, "accepts", lambda *_: True)
    with pytest.raises(ResourceError, match="no SSH tunnel to"):
        EndpointCheckProvider().create({**inputs(port), "ssh_port": port})


def test_an_endpoint_that_accepts_and_says_nothing_fails_the_update() -> None:
    with endpoint(None) as plain, pytest.raises(ResourceError, match="gives no answer"):
        EndpointCheckProvider().create(inputs(plain.port))


def test_any_change_repeats_the_check_and_nothing_else_does(server: Endpoint) -> None:
    provider = EndpointCheckProvider()
    given = provider.check({}, inputs(server.port)).inputs
    state = provider.create(given).outs or {}
    assert not provider.diff("id", state, given).changes
    for name in given:
        changed = {**given, name: ["10.0.0.0/8"] if name == "allowed_cidrs" else "9"}
        diff = provider.diff("id", state, changed)
        assert (name, diff.changes, diff.replaces) == (name, True, [])
