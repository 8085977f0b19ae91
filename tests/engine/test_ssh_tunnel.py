"""The way to a closed endpoint: a tunnel to a server that forwards."""

import asyncio
import json
import logging
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path

import asyncssh
import pytest

from components.dynamic.errors import ResourceError
from components.machine import ssh_tunnel
from components.machine.key_pair.provider import new_pair
from components.machine.ssh_tunnel import LocalPortError, Login, TunnelError, open_tunnel
from components.tls.x509 import issue, new_authority
from components.vllm.endpoint_check.probe import Expected, probe, takes_connection
from components.vllm.endpoint_check.provider import EndpointCheckProvider
from tests.support.own_address import own_address
from tests.support.pulumi_cli import REPOSITORY
from tests.support.tls_endpoint import KEY, MODEL, Endpoint, endpoint

ADDRESS = own_address()
"""Of a machine whose endpoint listens on its loopback only, which is here 127.0.0.1."""


KILLED_WITH_A_TUNNEL = """
import json, os, signal, sys
from components.machine.ssh_tunnel import Login, open_tunnel
login, port = json.load(sys.stdin)
with open_tunnel(Login(**login), port) as tunnel:
    print(tunnel.port, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


class Forwards(asyncssh.SSHServer):
    """Lets in whoever has the key, and forwards to where he wants."""

    def __init__(self, connections: list[asyncssh.SSHServerConnection]) -> None:
        self._connections = connections

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connections.append(conn)

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> bool:
        return True


@dataclass
class SmallSsh:
    """An SSH server of this process, in a thread of its own."""

    port: int
    connections: list[asyncssh.SSHServerConnection]
    loop: asyncio.AbstractEventLoop
    over: asyncio.Event

    def cut(self) -> None:
        """Break off every connection."""
        for connection in self.connections:
            self.loop.call_soon_threadsafe(connection.abort)


@dataclass(frozen=True)
class Closed:
    """A closed endpoint, and the way in."""

    login: Login
    endpoint: Endpoint
    ca_certificate: str
    server: SmallSsh


@contextmanager
def ssh_server(login_key: str, host_key: str) -> Iterator[SmallSsh]:
    connections: list[asyncssh.SSHServerConnection] = []
    ready: Future[SmallSsh] = Future()

    async def serve() -> None:
        over = asyncio.Event()
        async with asyncssh.listen(
            ADDRESS,
            0,
            server_factory=lambda: Forwards(connections),
            server_host_keys=[asyncssh.import_private_key(host_key)],
            authorized_client_keys=asyncssh.import_authorized_keys(login_key),
        ) as acceptor:
            ready.set_result(SmallSsh(acceptor.get_port(), connections, asyncio.get_running_loop(), over))
            await over.wait()
        for connection in connections:
            connection.abort()
        await asyncio.gather(*(connection.wait_closed() for connection in connections))

    thread = threading.Thread(target=asyncio.run, args=[serve()], daemon=True)
    thread.start()
    server = ready.result(30)
    try:
        yield server
    finally:
        server.loop.call_soon_threadsafe(server.over.set)
        thread.join()


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Closed]:
    authority = new_authority("test", datetime.now(UTC))
    made = issue(authority.certificate, authority.private_key, IPv4Address(ADDRESS), datetime.now(UTC))
    (file := tmp_path / "tls.pem").write_text(made.private_key + made.certificate)
    private, public = new_pair("login")
    host_private, host_public = new_pair("host")
    with endpoint(file) as behind, ssh_server(public, host_private) as server:
        yield Closed(Login(ADDRESS, server.port, private, host_public), behind, authority.certificate, server)


def listening() -> socket.socket:
    """At a free port of this computer's loopback."""
    made = socket.socket()
    made.bind(("127.0.0.1", 0))
    made.listen()
    return made


def threads_of_tunnels() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == f"tunnel to {ADDRESS}"]


def test_the_endpoint_is_seen_through_the_tunnel_with_the_certificate_checked(closed: Closed) -> None:
    expected = Expected(MODEL, KEY, closed.ca_certificate)
    with open_tunnel(closed.login, closed.endpoint.port) as tunnel:
        probe("127.0.0.1", tunnel.port, expected)
        # The port of this computer, and not the one that is forwarded.
        assert tunnel.port != closed.endpoint.port


def test_nothing_is_left_of_a_tunnel_and_its_key_is_never_on_the_disk(
    closed: Closed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own := tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(own))
    with open_tunnel(closed.login, closed.endpoint.port) as tunnel:
        assert list(own.iterdir()) == []
        assert takes_connection("127.0.0.1", tunnel.port)
    assert not takes_connection("127.0.0.1", tunnel.port)
    assert threads_of_tunnels() == []


def test_a_tunnel_ends_under_a_client_that_reads_nothing(closed: Closed, caplog: pytest.LogCaptureFixture) -> None:
    with listening() as behind, open_tunnel(closed.login, behind.getsockname()[1]) as tunnel:
        with socket.create_connection(("127.0.0.1", tunnel.port)) as client:
            there, _ = behind.accept()
            with there:
                there.settimeout(1)
                with suppress(TimeoutError):
                    there.sendall(bytes(64 << 20))
                tunnel.close()
                client.settimeout(60)
                with suppress(ConnectionResetError):
                    while client.recv(1 << 20):
                        pass
        assert threads_of_tunnels() == []
        # They would be on the user's terminal.
        assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_client_that_leaves_in_the_middle_of_an_answer_is_gone_on_the_machine_too(closed: Closed) -> None:
    with listening() as behind, open_tunnel(closed.login, behind.getsockname()[1]) as tunnel:
        client = socket.create_connection(("127.0.0.1", tunnel.port))
        there, _ = behind.accept()
        with there:
            there.settimeout(60)
            there.sendall(b"a word")
            assert client.recv(1)
            client.close()
            with pytest.raises(ConnectionError):
                while True:
                    there.sendall(b"another word")


def test_all_that_was_said_arrives_on_both_sides_when_both_have_said_all(closed: Closed) -> None:
    said = bytes(range(256)) * 20_000
    with listening() as behind, open_tunnel(closed.login, behind.getsockname()[1]) as tunnel:

        def echo() -> None:
            there, _ = behind.accept()
            with there, there.makefile("rb") as stream:
                heard = stream.read()
                there.sendall(heard)

        (thread := threading.Thread(target=echo, daemon=True)).start()
        with socket.create_connection(("127.0.0.1", tunnel.port)) as client, client.makefile("rb") as stream:
            client.settimeout(60)
            client.sendall(said)
            client.shutdown(socket.SHUT_WR)
            assert stream.read() == said
        thread.join()


def test_a_tunnel_that_is_cut_says_so_and_the_same_port_can_be_had_again(closed: Closed) -> None:
    expected = Expected(MODEL, KEY, closed.ca_certificate)
    with open_tunnel(closed.login, closed.endpoint.port) as tunnel:
        closed.server.cut()
        tunnel.wait()
        assert not takes_connection("127.0.0.1", tunnel.port)
        with open_tunnel(closed.login, closed.endpoint.port, tunnel.port) as again:
            assert again.port == tunnel.port
            probe("127.0.0.1", again.port, expected)


def test_a_port_behind_which_nobody_listens_breaks_the_connection_off(closed: Closed) -> None:
    with listening() as gone:
        port = gone.getsockname()[1]
    with open_tunnel(closed.login, port) as tunnel, socket.create_connection(("127.0.0.1", tunnel.port)) as client:
        client.settimeout(60)
        assert client.recv(1) == b""


def test_a_local_port_that_is_taken_is_told(closed: Closed) -> None:
    with listening() as taken:
        port = taken.getsockname()[1]
        with pytest.raises(LocalPortError, match=f"^port {port} of this computer is taken$"):
            open_tunnel(closed.login, 1, port)
    assert threads_of_tunnels() == []


def test_a_machine_with_another_host_key_is_not_logged_in_to(closed: Closed) -> None:
    for other in (new_pair("other")[1], asyncssh.generate_private_key("ecdsa-sha2-nistp256")):
        line = other if isinstance(other, str) else other.export_public_key().decode()
        with pytest.raises(TunnelError, match=r"^Host key verification failed$"):
            open_tunnel(replace(closed.login, public_host_key=line), 1)
    assert threads_of_tunnels() == []


def test_a_key_that_does_not_open_is_one_line(closed: Closed) -> None:
    stranger = replace(closed.login, private_key=new_pair("other")[0])
    with pytest.raises(TunnelError, match=rf"^ubuntu@{re.escape(ADDRESS)}: Permission denied \(publickey\)$"):
        open_tunnel(stranger, 1)


def test_a_key_that_cannot_be_read_is_one_line_without_the_key(closed: Closed) -> None:
    broken = replace(closed.login, private_key="-----BEGIN OPENSSH PRIVATE KEY-----\nsecret\n")
    with pytest.raises(TunnelError) as error:
        open_tunnel(broken, 1)
    assert "\n" not in str(error.value)
    assert "secret" not in f"{error.value} {broken}"


def test_a_machine_that_refuses_and_one_that_hangs_up_are_told_apart(closed: Closed) -> None:
    with listening() as gone:
        port = gone.getsockname()[1]
    nobody = replace(closed.login, ip="127.0.0.1", port=port)
    with pytest.raises(TunnelError, match=f"^ssh: connect to host 127.0.0.1 port {port}: Connection refused$"):
        open_tunnel(nobody, 1)
    with listening() as rude:
        threading.Thread(target=lambda: rude.accept()[0].close(), daemon=True).start()
        port = rude.getsockname()[1]
        with pytest.raises(TunnelError, match=f"^Connection closed by 127.0.0.1 port {port}: ") as error:
            open_tunnel(replace(nobody, port=port), 1)
        assert "\n" not in str(error.value)


def test_a_machine_that_says_nothing_is_given_up_in_time(closed: Closed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh_tunnel, "LOGIN_S", 0.1)
    with listening() as silent:
        port = silent.getsockname()[1]
        with pytest.raises(TunnelError, match=f"^Connection to 127.0.0.1 port {port} timed out$"):
            open_tunnel(replace(closed.login, ip="127.0.0.1", port=port), 1)
    assert threads_of_tunnels() == []


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
        [sys.executable, "-c", KILLED_WITH_A_TUNNEL],
        input=login, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY, timeout=60, check=False,
    )  # fmt: skip
    assert child.returncode == -signal.SIGKILL
    assert not takes_connection("127.0.0.1", int(child.stdout))
