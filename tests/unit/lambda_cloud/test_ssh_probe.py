"""Only the right host key tells that it is our machine which answers."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest

from components.lambda_cloud.boot_wait import ssh_probe
from components.lambda_cloud.boot_wait.ssh_probe import ssh_trouble

HERE = "127.0.0.1"
HOST_KEY = asyncssh.generate_private_key("ssh-ed25519")


def _public(key: asyncssh.SSHKey) -> str:
    return key.export_public_key("openssh").decode().strip()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """An SSH server with `HOST_KEY` and a key of another kind, as a machine that keeps its own besides ours."""
    loop = asyncio.new_event_loop()
    ready, stop = threading.Event(), asyncio.Event()
    ports: list[int] = []

    async def serve() -> None:
        keys = [HOST_KEY, asyncssh.generate_private_key("ecdsa-sha2-nistp256")]
        async with asyncssh.listen(HERE, 0, server_host_keys=keys) as server:
            ports.append(server.get_port())
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(10)
    yield ports[0]
    loop.call_soon_threadsafe(stop.set)
    thread.join()
    loop.close()


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that takes connections and never speaks."""
    with socket.create_server((HERE, 0)) as listening:
        yield listening.getsockname()[1]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh_probe, "CONNECT_TIMEOUT_S", 0.1)


def _speaking(text: bytes) -> Iterator[int]:
    """A port that says something to everybody and hangs up."""
    with socket.create_server((HERE, 0)) as listening:

        def speak() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(text)

        thread = threading.Thread(target=speak)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.fixture(params=[b"HTTP/1.1 400 Bad Request\r\n\r\n", b""])
def other_program(request: pytest.FixtureRequest) -> Iterator[int]:
    """Not an SSH server, or one that is just starting."""
    yield from _speaking(request.param)


def test_our_machine_is_known_by_its_key_whatever_stands_behind_it(port: int) -> None:
    assert ssh_trouble(HERE, port, _public(HOST_KEY)) is None
    assert ssh_trouble(HERE, port, f"{' '.join(_public(HOST_KEY).split()[:2])} a comment of ours") is None


@pytest.mark.parametrize("kind", ["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384"])
def test_another_machine_at_the_address_is_not_ours(port: int, kind: str) -> None:
    assert ssh_trouble(HERE, port, _public(asyncssh.generate_private_key(kind))) == "another host key yet"


def test_without_a_key_to_check_a_greeting_is_enough(port: int) -> None:
    assert ssh_trouble(HERE, port, None) is None


@pytest.mark.parametrize("key", [None, _public(HOST_KEY)], ids=["any-key", "our-key"])
def test_where_nothing_listens_there_is_no_greeting(key: str | None) -> None:
    with socket.create_server((HERE, 0)) as closed:
        port = closed.getsockname()[1]
    assert ssh_trouble(HERE, port, key) == "no greeting yet"


@pytest.mark.parametrize("key", [None, _public(HOST_KEY)], ids=["any-key", "our-key"])
def test_a_port_that_never_speaks_is_given_up(silent: int, impatient: None, key: str | None) -> None:
    assert ssh_trouble(HERE, silent, key) == "no greeting yet"


@pytest.mark.parametrize("key", [None, _public(HOST_KEY)], ids=["any-key", "our-key"])
def test_what_is_no_ssh_server_gives_no_greeting(other_program: int, key: str | None) -> None:
    assert ssh_trouble(HERE, other_program, key) == "no greeting yet"


def test_keys_of_the_user_that_cannot_be_read_are_none_of_its_business(
    port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/id_ed25519").write_text("no key at all\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert ssh_trouble(HERE, port, _public(HOST_KEY)) is None
