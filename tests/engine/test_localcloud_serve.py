"""The local cloud as a process: what it says, what it keeps, and that nothing of it is left."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncssh
import psutil
import pytest
import requests

from tests.support.polling import until
from tests.support.process_machine import has_ended

LAUNCH = {"region_name": "us-east-3", "instance_type_name": "gpu_1x_gh200", "ssh_key_names": ["key"]}


class Server:
    """`serve` on a state directory, API only, in quick time."""

    def __init__(self, state: Path) -> None:
        self._state = state
        arguments = ["--port=0", "--machines=none", "--time-scale=0.01", "--rate-limit=off", f"--state={state}"]
        self.process = subprocess.Popen(_command("serve", *arguments), stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()

    @property
    def session(self) -> requests.Session:
        """A session with the account's key."""
        key = json.loads((self._state / "credentials.json").read_text())["api_key"]
        session = requests.Session()
        session.headers["Authorization"] = f"Bearer {key}"
        return session

    def get(self, path: str) -> Any:
        """Data of a GET below /api/v1."""
        response = self.session.get(f"{self.url}/api/v1{path}", timeout=10)
        response.raise_for_status()
        return response.json()["data"]

    def post(self, path: str, body: object) -> Any:
        """Data of a POST below /api/v1."""
        response = self.session.post(f"{self.url}/api/v1{path}", json=body, timeout=10)
        response.raise_for_status()
        return response.json()["data"]

    def end(self, number: signal.Signals) -> int:
        """Send a signal, wait for the end; the exit code."""
        self.process.send_signal(number)
        code = self.process.wait(20)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


class Servers:
    """All servers of a test."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self._all: list[Server] = []

    def start(self) -> Server:
        """One more server on the same state."""
        server = Server(self.state)
        self._all.append(server)
        return server

    def end_all(self) -> None:
        """End what the test has left."""
        for server in self._all:
            if server.process.poll() is None:
                server.end(signal.SIGKILL)


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    """Servers on one state directory."""
    servers = Servers(tmp_path / "state")
    yield servers
    servers.end_all()


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """A state directory on which nothing is up after the test."""
    state = tmp_path / "state"
    yield state
    _run("down", f"--state={state}")


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "localcloud", *arguments]


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(_command(*arguments), capture_output=True, text=True, timeout=90, check=False)


def _up(state: Path, port: int = 0) -> subprocess.CompletedProcess[str]:
    return _run("up", f"--state={state}", f"--port={port}", "--machines=none", "--time-scale=0.01", "--rate-limit=off")


def _status(state: Path) -> Any:
    return json.loads(_run("status", "--json", f"--state={state}").stdout)


def _address_of_active_instance(state: Path) -> str:
    def instance() -> Any:
        return _status(state)["instances"][0]

    until(lambda: instance()["status"] == "active", why=instance)
    return str(instance()["ip"])


async def _left_running(ip: str, port: int, private_key: str) -> int:
    """Process id of a program that stays on the machine after the login."""
    key = asyncssh.import_private_key(private_key)
    async with asyncssh.connect(ip, port, username="ubuntu", client_keys=[key], known_hosts=None) as connection:
        answer = await connection.run("nohup sleep 600 >/dev/null 2>&1 & echo $!", check=True)
    return int(str(answer.stdout))


def _is_open(url: str) -> bool:
    address = urlsplit(url)
    with socket.socket() as probe:
        return probe.connect_ex((address.hostname, address.port)) == 0


def test_every_acknowledged_write_outlives_a_kill(servers: Servers) -> None:
    server = servers.start()
    server.post("/ssh-keys", {"name": "key"})
    acknowledged: list[str] = []

    def launch_until_killed() -> None:
        while True:
            try:
                acknowledged.extend(server.post("/instance-operations/launch", LAUNCH)["instance_ids"])
            except requests.RequestException:
                return

    client = threading.Thread(target=launch_until_killed)
    client.start()
    while len(acknowledged) < 20:
        assert server.process.poll() is None
        client.join(0.01)
    server.end(signal.SIGKILL)
    client.join(20)

    again = servers.start()
    assert set(acknowledged) <= {instance["id"] for instance in again.get("/instances")}
    assert [key["name"] for key in again.get("/ssh-keys")] == ["key"]
    assert again.end(signal.SIGTERM) == 0


def test_a_stopped_server_leaves_nothing_open_and_keeps_the_account(servers: Servers) -> None:
    server = servers.start()
    ruleset = server.post("/firewall-rulesets", {"name": "set", "region": "us-east-3", "rules": []})
    credentials = (servers.state / "credentials.json").read_text()
    assert server.end(signal.SIGTERM) == 0
    assert not _is_open(server.url)

    again = servers.start()
    assert again.get("/firewall-rulesets") == [ruleset]
    assert (servers.state / "credentials.json").read_text() == credentials
    assert again.end(signal.SIGINT) == 0


def test_secrets_can_be_read_by_their_owner_only(servers: Servers) -> None:
    servers.start()
    for name in ("credentials.json", "cloud.sqlite", "cloud.sqlite-wal"):
        assert (servers.state / name).stat().st_mode & 0o777 == 0o600, name


def test_the_control_side_and_the_hub_answer_on_the_same_port(servers: Servers) -> None:
    server = servers.start()
    token = json.loads((servers.state / "credentials.json").read_text())["hf_token"]
    whoami = requests.get(f"{server.url}/api/whoami-v2", headers={"Authorization": f"Bearer {token}"}, timeout=10)
    assert whoami.status_code == 200
    entries = requests.get(f"{server.url}/_localcloud/requests", timeout=10).json()
    assert [(entry["service"], entry["path"]) for entry in entries] == [("hub", "/api/whoami-v2")]


def test_a_second_server_on_a_state_is_refused_in_one_line(servers: Servers) -> None:
    servers.start()
    second = _run("serve", "--port=0", "--machines=none", f"--state={servers.state}")
    assert second.returncode == 1
    assert second.stderr.count("\n") == 1
    assert "already" in second.stderr


def test_up_status_and_down_go_round(state: Path) -> None:
    first = _up(state)
    assert first.returncode == 0, first.stderr
    url = first.stdout.strip()
    assert _up(state).stdout.strip() == f"already up: {url}"

    status = _status(state)
    assert status["url"] == status["hf_endpoint"] == url
    assert status["machines"] == "none"
    assert status["instances"] == []
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {status['api_key']}"
    session.post(f"{url}/api/v1/ssh-keys", json={"name": "key"}, timeout=10).raise_for_status()
    session.post(f"{url}/api/v1/instance-operations/launch", json=LAUNCH | {"name": "mine"}, timeout=10)
    instances = _status(state)["instances"]
    assert [(one["name"], one["price_cents_per_hour"]) for one in instances] == [("mine", 229)]
    assert "mine" in _run("status", f"--state={state}").stdout

    server = psutil.Process(status["pid"])
    down = _run("down", f"--state={state}")
    assert down.returncode == 0, down.stderr
    assert not _is_open(url)
    assert not state.exists()
    assert has_ended(server)


def test_down_removes_nothing_that_is_not_its_own(state: Path) -> None:
    _up(state)
    (state / "mine.txt").write_text("mine")
    _run("down", f"--state={state}")
    assert [path.name for path in state.iterdir()] == ["mine.txt"]


def test_an_account_after_down_is_a_new_one(state: Path) -> None:
    _up(state)
    before = _status(state)["api_key"]
    _run("down", f"--state={state}")
    _up(state)
    assert _status(state)["api_key"] != before


def test_down_clears_up_after_a_killed_server(state: Path) -> None:
    url = _up(state).stdout.strip()
    os.kill(_status(state)["pid"], signal.SIGKILL)
    down = _run("down", f"--state={state}")
    assert down.returncode == 0, down.stderr
    assert not state.exists()
    assert not _is_open(url)


def test_down_after_a_kill_also_ends_what_runs_on_the_machines(state: Path) -> None:
    _run("up", f"--state={state}", "--port=0", "--time-scale=0", "--rate-limit=off")
    status = _status(state)
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {status['api_key']}"
    key = session.post(f"{status['url']}/api/v1/ssh-keys", json={"name": "key"}, timeout=10).json()["data"]
    session.post(f"{status['url']}/api/v1/instance-operations/launch", json=LAUNCH, timeout=10).raise_for_status()
    ip = _address_of_active_instance(state)
    pid = asyncio.run(_left_running(ip, status["ssh_port"], key["private_key"]))
    os.kill(status["pid"], signal.SIGKILL)
    left = psutil.Process(pid)

    down = _run("down", f"--state={state}")
    assert down.returncode == 0, down.stderr
    assert has_ended(left)
    assert not state.exists()


def test_down_without_anything_up_says_so_and_is_content(state: Path) -> None:
    down = _run("down", f"--state={state}")
    assert (down.returncode, down.stderr) == (0, "")
    assert "nothing is up" in down.stdout


def test_status_without_anything_up_is_one_line_and_fails(state: Path) -> None:
    status = _run("status", "--json", f"--state={state}")
    assert (status.returncode, status.stdout) == (1, "")
    assert status.stderr.count("\n") == 1


def test_a_taken_port_is_one_line_that_names_it(state: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        up = _up(state, port)
    assert up.returncode == 1
    assert up.stderr.count("\n") == 1
    assert f"port {port} of 127.0.0.1 is taken" in up.stderr


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["serve", "--port=65536"], "65536"),
        (["serve", "--time-scale=-1"], "-1"),
        (["serve", "--machines=cloud"], "cloud"),
        (["fly"], "fly"),
        ([], "command"),
        (["serve", "--port=0", "--machines=none", "--host=nowhere.invalid"], "nowhere.invalid"),
        (["serve", "--port=0", "--machines=none", "--state=/dev/null/x"], "/dev/null/x"),
        (["up", "--machines=none", "--state=/dev/null/x"], "/dev/null/x"),
    ],
)
def test_a_wrong_command_is_one_line(tmp_path: Path, arguments: list[str], part: str) -> None:
    state = [] if not arguments or any("state" in one for one in arguments) else [f"--state={tmp_path}"]
    refused = _run(*arguments, *state)
    assert refused.returncode in {1, 2}
    assert refused.stderr.count("\n") == 1
    assert part in refused.stderr
