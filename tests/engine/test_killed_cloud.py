"""The local cloud killed while clients write: what was acknowledged is there, and nothing half done is."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import psutil
import pytest
import requests

from localcloud.machines.environment import MARKER
from tests.support.polling import until

KILLS = 4
MOST_KILLS = 20
"""So many at most, until something was launched and something was terminated."""
ENDING = {"terminating", "terminated"}
SCRIPT = "#!/bin/sh\nexec sleep 3600\n"
"""User data of every machine, so that each has a process of its own."""


@dataclass
class Promises:
    """What the cloud has acknowledged, and what it was asked without an answer."""

    keys: dict[str, str] = field(default_factory=dict)
    """Names by id."""
    rulesets: dict[str, str] = field(default_factory=dict)
    launched: set[str] = field(default_factory=set)
    terminated: set[str] = field(default_factory=set)
    unanswered: set[str] = field(default_factory=set)
    """Names of what may or may not be there."""
    doubtful: set[str] = field(default_factory=set)
    """Ids of what may or may not have been asked to end."""

    def count(self) -> int:
        """How many things were acknowledged."""
        return len(self.keys) + len(self.rulesets) + len(self.launched)


class Cloud:
    """`serve` on a state directory, started again after each kill."""

    def __init__(self, state: Path, machines: str) -> None:
        self.state = state
        self._machines = machines
        self.start()

    def start(self) -> None:
        """Serve; returns when it answers, with every machine resumed."""
        flags = [f"--machines={self._machines}", "--port=0", "--time-scale=0.002", "--rate-limit=off"]
        command = [sys.executable, "-m", "localcloud", "serve", f"--state={self.state}", *flags]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        assert self.url, "the cloud did not start"
        self.key = json.loads((self.state / "credentials.json").read_text())["api_key"]

    def kill(self) -> None:
        """End the server's process, and nothing else, at once."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait(20)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Data of an answer; OSError when none came."""
        headers = {"Authorization": f"Bearer {self.key}"}
        answer = requests.request(method, f"{self.url}/api/v1{path}", json=body, headers=headers, timeout=20)
        assert answer.ok, answer.text
        return answer.json()["data"]


def _write_until_killed(cloud: Cloud, promises: Promises, draw: Random, client: str) -> None:
    """Make and end things one after the other until the cloud is gone."""
    with suppress(requests.RequestException):
        for turn in range(10_000):
            name = f"{client}-{turn}"
            promises.unanswered.add(name)
            _make(cloud, promises, draw, name)
            promises.unanswered.discard(name)
            if promises.launched and draw.random() < 0.2:
                _end_one(cloud, promises, draw)


def _make(cloud: Cloud, promises: Promises, draw: Random, name: str) -> None:
    what = draw.random()
    if what < 0.4:
        promises.keys[cloud.call("POST", "/ssh-keys", {"name": name})["id"]] = name
    elif what < 0.8:
        ruleset = {"name": name, "region": "us-east-3", "rules": []}
        promises.rulesets[cloud.call("POST", "/firewall-rulesets", ruleset)["id"]] = name
    else:
        promises.launched.update(_launch(cloud, name))


def _launch(cloud: Cloud, name: str) -> list[str]:
    launch = {"region_name": "us-east-3", "instance_type_name": "gpu_1x_gh200", "ssh_key_names": ["first"]}
    said = cloud.call("POST", "/instance-operations/launch", launch | {"name": name, "user_data": SCRIPT})
    ids: list[str] = said["instance_ids"]
    return ids


def _end_one(cloud: Cloud, promises: Promises, draw: Random) -> None:
    open_ids = sorted(promises.launched - promises.terminated - promises.doubtful)
    if open_ids:
        victim = draw.choice(open_ids)
        promises.doubtful.add(victim)
        cloud.call("POST", "/instance-operations/terminate", {"instance_ids": [victim]})
        promises.terminated.add(victim)


def _assert_kept(cloud: Cloud, promises: Promises) -> None:
    """Everything promised is there, and nothing that was not asked for."""
    for path, promised in (("/ssh-keys", promises.keys), ("/firewall-rulesets", promises.rulesets)):
        there = {one["id"]: one["name"] for one in cloud.call("GET", path)}
        assert promised.items() <= there.items(), path
        assert {there[one] for one in there.keys() - promised.keys()} <= promises.unanswered | {"first"}, path
    instances = {one["id"]: one for one in cloud.call("GET", "/instances")}
    alive = {one for one, instance in instances.items() if instance["status"] not in ENDING}
    assert promises.launched - promises.doubtful <= alive
    assert not promises.terminated & alive
    unknown = instances.keys() - promises.launched
    assert {instances[one]["name"] for one in unknown} <= promises.unanswered


def _machines_with_processes(state: Path) -> set[str]:
    """Instance ids of the machines of this state that have a process."""
    found = set()
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            environment = process.environ()
            if MARKER in environment and environment.get("HOME", "").startswith(str(state)):
                found.add(environment[MARKER])
    return found


def _machines_with_disks(state: Path) -> set[str]:
    disks = state / "machines"
    return {disk.name for disk in disks.iterdir()} if disks.exists() else set()


def _ids(cloud: Cloud, *, without: set[str]) -> set[str]:
    answer = requests.get(f"{cloud.url}/_localcloud/instances", timeout=20).json()
    return {one["id"] for one in answer if one["status"] not in without}


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """A state directory on which nothing is left after the test."""
    state = tmp_path / "state"
    yield state
    down = [sys.executable, "-m", "localcloud", "down", f"--state={state}"]
    subprocess.run(down, check=True, capture_output=True, timeout=120)


@pytest.mark.parametrize("machines", ["none", "process"])
def test_a_killed_cloud_loses_no_acknowledged_write_and_leaves_no_machine(state: Path, machines: str) -> None:
    draw = Random(11)
    cloud = Cloud(state, machines)
    promises = Promises()
    cloud.call("POST", "/ssh-keys", {"name": "first"})
    for number in range(MOST_KILLS):
        if number >= KILLS and promises.launched and promises.terminated:
            break
        _kill_while_clients_write(cloud, promises, draw, number)
        cloud.start()
        _assert_kept(cloud, promises)
        _assert_every_machine_has_an_instance(cloud)
    assert promises.launched
    assert promises.terminated
    if machines == "process":
        # Those launched before may all have been ended; with one that runs the looks for what is left see something.
        _launch(cloud, "last")
        until(lambda: bool(_machines_with_processes(state)))
    _assert_all_can_be_ended(cloud)
    cloud.process.terminate()
    cloud.process.wait(30)


def _kill_while_clients_write(cloud: Cloud, promises: Promises, draw: Random, number: int) -> None:
    with ThreadPoolExecutor(2) as pool:
        clients = [
            pool.submit(_write_until_killed, cloud, promises, Random(draw.random()), f"{number}-{client}")
            for client in range(2)
        ]
        acknowledged = promises.count()
        time.sleep(draw.uniform(0.3, 1.0))
        until(lambda: promises.count() > acknowledged)
        cloud.kill()
    for client in clients:
        client.result()


def _assert_every_machine_has_an_instance(cloud: Cloud) -> None:
    # Instances first: nobody launches any more, and one that was ending may be forgotten meanwhile.
    instances = _ids(cloud, without=set())
    assert _machines_with_processes(cloud.state) | _machines_with_disks(cloud.state) <= instances


def _assert_all_can_be_ended(cloud: Cloud) -> None:
    """No machine outlives its instance: neither a process nor a disk."""
    for instance_id in _ids(cloud, without=ENDING):
        cloud.call("POST", "/instance-operations/terminate", {"instance_ids": [instance_id]})
    until(lambda: not _ids(cloud, without={"terminated"}))
    assert _machines_with_processes(cloud.state) | _machines_with_disks(cloud.state) == set()
