"""The way to a closed endpoint: the system's `ssh`, to a server that forwards."""

import asyncio
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path

import asyncssh
import psutil
import pytest

from components.dynamic.errors import ResourceError
from components.machine.key_pair.provider import new_pair
from components.machine.ssh_tunnel import Login, TunnelError, tunnel
from components.tls.x509 import issue, new_authority
from components.vllm.endpoint_check.probe import Expected, accepts, probe
from components.vllm.endpoint_check.provider import EndpointCheckProvider
from tests.support.pulumi_cli import REPOSITORY
from tests.support.tls_endpoint import KEY, MODEL, Endpoint, endpoint

pytestmark = pytest.mark.skipif(shutil.which("ssh") is None, reason="there is no ssh")

ADDRESS = "127.76.250.1"
"""Of a machine whose endpoint listens on its loopback only, which is here 127.0.0.1."""


KILLED_WITH_A_TUNNEL = """
import json, os, signal, sys
from components.machine.ssh_tunnel import Login, tunnel
login, port = json.load(sys.stdin)
with tunnel(Login(**login), port):
    os.kill(os.getpid(), signal.SIGKILL)
"""


class Forwards(asyncssh.SSHServer):
    """Lets in whoever has the key, and forwards to where he wants."""

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> bool:
        return True


@dataclass(frozen=True)
class Closed:
    """A closed endpoint, and the way in."""

    login: Login
    endpoint: Endpoint
    ca_certificate: str


@contextmanager
def ssh_server(login_key: str, host_key: str) -> Iterator[int]:
    """The port of an SSH server of this process."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()

    async def shell(process: "asyncssh.SSHServerProcess[str]") -> None:
        process.stdout.write("open\n")
        await process.stdin.read()
        process.exit(0)

    async def listen() -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            ADDRESS,
            0,
            server_factory=Forwards,
            server_host_keys=[asyncssh.import_private_key(host_key)],
            authorized_client_keys=asyncssh.import_authorized_keys(login_key),
            process_factory=shell,
        )

    acceptor = asyncio.run_coroutine_threadsafe(listen(), loop).result(30)
    try:
        yield acceptor.get_port()
    finally:
        loop.call_soon_threadsafe(acceptor.close)
        loop.call_soon_threadsafe(loop.stop)


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Closed]:
    authority = new_authority("test", datetime.now(UTC))
    made = issue(authority.certificate, authority.private_key, IPv4Address(ADDRESS), datetime.now(UTC))
    (file := tmp_path / "tls.pem").write_text(made.private_key + made.certificate)
    private, public = new_pair("login")
    host_private, host_public = new_pair("host")
    with endpoint(file) as behind, ssh_server(public, host_private) as port:
        yield Closed(Login(ADDRESS, port, private, host_public), behind, authority.certificate)


def processes_of_ssh() -> list[str]:
    return [
        " ".join(p.info["cmdline"] or []) for p in psutil.process_iter(["cmdline"]) if ADDRESS in str(p.info["cmdline"])
    ]


def test_the_endpoint_is_seen_through_the_tunnel_with_the_certificate_checked(closed: Closed) -> None:
    expected = Expected(MODEL, KEY, closed.ca_certificate)
    with tunnel(closed.login, closed.endpoint.port) as port:
        probe("127.0.0.1", port, expected)
        # The port of this computer, and not the one that is forwarded.
        assert port != closed.endpoint.port


def test_nothing_is_left_of_a_tunnel_and_the_key_is_gone_as_soon_as_it_is_open(
    closed: Closed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own := tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(own))
    with tunnel(closed.login, closed.endpoint.port) as port:
        assert list(own.iterdir()) == []
        (command,) = processes_of_ssh()
        assert "PRIVATE" not in command
    assert not accepts("127.0.0.1", port, 0)
    assert processes_of_ssh() == []


def test_a_machine_with_another_host_key_is_not_logged_in_to(closed: Closed) -> None:
    impostor = replace(closed.login, public_host_key=new_pair("other")[1])
    with pytest.raises(TunnelError, match="Host key verification failed"), tunnel(impostor, 1):
        pass


def test_a_key_that_does_not_open_is_one_line(closed: Closed) -> None:
    stranger = replace(closed.login, private_key=new_pair("other")[0])
    with pytest.raises(TunnelError, match="Permission denied") as error, tunnel(stranger, 1):
        pass
    assert "\n" not in str(error.value)


def inputs(closed: Closed) -> dict[str, object]:
    return {
        "ip": ADDRESS,
        "port": closed.endpoint.port,
        "model": MODEL,
        "api_key": KEY,
        "ca_certificate": closed.ca_certificate,
        "allowed_cidrs": [],
        "ssh_port": closed.login.port,
        "private_key": closed.login.private_key,
        "public_host_key": closed.login.public_host_key,
        "served": "a",
    }


def test_a_closed_endpoint_is_checked_through_the_tunnel(closed: Closed) -> None:
    outputs = EndpointCheckProvider().create(inputs(closed)).outs or {}
    assert outputs["reachable"] == "through the tunnel"
    assert "PRIVATE KEY" not in str(outputs)


def test_networks_that_do_not_hold_this_computer_are_no_failure(
    closed: Closed, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(EndpointCheckProvider, "opening_s", 0.0)
    outputs = EndpointCheckProvider().create({**inputs(closed), "allowed_cidrs": ["198.51.100.0/24"]}).outs or {}
    assert outputs["reachable"] == "through the tunnel"
    assert "in none of allowedCidrs" in capsys.readouterr().out


def test_what_is_wrong_behind_the_tunnel_fails_the_update(closed: Closed) -> None:
    closed.endpoint.wrong = {"/v1/models open": 200}
    with pytest.raises(ResourceError, match="answers 200 without the key"):
        EndpointCheckProvider().create(inputs(closed))


def test_the_tunnel_ends_with_the_process_that_opened_it(closed: Closed) -> None:
    login = json.dumps([asdict(closed.login), closed.endpoint.port])
    child = subprocess.run(
        [sys.executable, "-c", KILLED_WITH_A_TUNNEL], input=login, text=True, cwd=REPOSITORY, timeout=60, check=False
    )
    assert child.returncode == -signal.SIGKILL
    psutil.wait_procs([p for p in psutil.process_iter(["cmdline"]) if ADDRESS in str(p.info["cmdline"])], 30)
    assert processes_of_ssh() == []
