"""The end of `process` machines: nothing of them is left, whatever they did, and nothing else is touched."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from localcloud.machines.processes import processes_of
from tests.support.customer import Customer
from tests.support.local_cloud import LocalCloud, local_cloud
from tests.support.polling import until, until_async
from tests.support.process_machine import booted, check, has_ended, last_words
from tests.support.pulumi_cli import REPOSITORY

DAEMON = """import os
for _ in range(2):
    if os.fork():
        os._exit(0)
    os.setsid()
os.chdir("/")
null = os.open("/dev/null", os.O_RDWR)
for number in range(3):
    os.dup2(null, number)
os.closerange(3, 100)
os.execve("/bin/sleep", ["sleep", "311"], {})
"""
"""Forks twice, leads a session of its own, and keeps neither environment, folder nor open file."""

UNIT = """[Service]
ExecStart=/bin/sh -c "python3 %h/daemon.py"
"""

pytestmark = pytest.mark.skipif(shutil.which("ssh") is None, reason="needs an OpenSSH client")


def test_destroy_ends_stubborn_processes_and_leaves_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with booted(tmp_path) as machine:
            await machine.ssh(
                "setsid sh -c 'trap \"\" TERM; env -i sleep 304 & while :; do sleep 0.1; done' >&- 2>&- &"
            )
            await machine.ssh(
                "mkdir -p locked/inner && touch locked/inner/file && chmod 0 locked/inner && chmod 500 locked"
            )
            await until_async(lambda: len(processes_of(machine.spec.instance_id)) >= 3)
            left = processes_of(machine.spec.instance_id)
            temporary = Path((await machine.ssh("echo $TMPDIR")).output.strip())
            assert temporary.exists()
            await machine.machines.destroy(machine.spec.instance_id)
            assert all(map(has_ended, left))
            assert not machine.home.exists()
            assert not temporary.is_symlink()
            await machine.machines.destroy(machine.spec.instance_id)
            assert "Connection refused" in (await machine.ssh("true")).errors

    check(scenario())


@pytest.mark.parametrize(
    "detach",
    [
        pytest.param("(setsid sleep 311 </dev/null >/dev/null 2>&1 &)", id="orphan"),
        pytest.param("(cd /; setsid env -i sleep 311 </dev/null >/dev/null 2>&1 &)", id="without-environment"),
        pytest.param("python3 daemon.py", id="daemon"),
        pytest.param("systemctl --user start daemon", id="daemon-of-a-unit"),
    ],
)
def test_no_way_to_detach_lets_a_process_outlive_its_machine(tmp_path: Path, detach: str) -> None:
    async def scenario() -> None:
        async with booted(tmp_path) as machine, booted(tmp_path) as neighbour:
            for each in (machine, neighbour):
                (each.home / "daemon.py").write_text(DAEMON)
                units = each.home / ".config" / "systemd" / "user"
                units.mkdir(parents=True)
                (units / "daemon.service").write_text(UNIT)
                await each.ssh(detach)
            await until_async(lambda: "311" in last_words(machine) and "311" in last_words(neighbour))
            left = processes_of(machine.spec.instance_id)
            await machine.machines.destroy(machine.spec.instance_id)
            assert all(map(has_ended, left))
            assert "311" in last_words(neighbour)

    check(scenario())


def test_a_process_of_the_user_that_looks_like_a_machines_is_left_alone(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with booted(tmp_path) as machine:
            environment = {**os.environ, "LOCALCLOUD_INSTANCE": machine.spec.instance_id}
            own = await asyncio.create_subprocess_exec("sleep", "312", env=environment, cwd=machine.home)
            try:
                await machine.machines.restart(machine.spec)
                await machine.machines.destroy(machine.spec.instance_id)
                assert not has_ended(psutil.Process(own.pid))
            finally:
                own.kill()
                await own.wait()

    check(scenario())


def test_twenty_machines_at_once_answer_and_leave_nothing(tmp_path: Path) -> None:
    with local_cloud(tmp_path / "state", time_scale="0") as cloud:
        customer = Customer(cloud, tmp_path)
        machines = [customer.launch() for _ in range(20)]
        for machine in machines:
            customer.active(machine)
            customer.ssh(machine, "(setsid env -i sleep 313 </dev/null >/dev/null 2>&1 &)")
        left = [process for machine in machines for process in processes_of(machine)]
        assert len(left) == len(machines)
        customer.end(*machines)
        assert all(map(has_ended, left))
        assert list((cloud.state / "machines").iterdir()) == []


def test_the_end_that_a_killed_cloud_owes_is_brought_by_the_next_and_down_ends_the_rest(tmp_path: Path) -> None:
    with local_cloud(tmp_path / "state") as cloud:
        customer = Customer(cloud, tmp_path)
        ended, kept = (_launched_with_a_daemon(customer) for _ in range(2))
        customer.call("POST", "/instance-operations/terminate", {"instance_ids": [ended]})
        _kill(cloud)
        _localcloud("up", f"--state={cloud.state}", "--port=0", "--time-scale=0")
        until(lambda: processes_of(ended) == [] and not (cloud.state / "machines" / ended).exists())
        assert len(processes_of(kept)) == 1
        _kill(cloud)
        _localcloud("down", f"--state={cloud.state}")
        assert processes_of(kept) == []
        assert not cloud.state.exists()


def test_down_ends_the_machines_of_a_database_that_cannot_be_read(tmp_path: Path) -> None:
    with local_cloud(tmp_path / "state") as cloud:
        machine = _launched_with_a_daemon(Customer(cloud, tmp_path))
        _kill(cloud)
        (cloud.state / "cloud.sqlite").write_text("not a database " * 1000)
        _localcloud("down", f"--state={cloud.state}")
        assert processes_of(machine) == []
        assert not cloud.state.exists()


def _launched_with_a_daemon(customer: Customer) -> str:
    machine = customer.launched()
    customer.ssh(machine, "(cd /; setsid env -i sleep 314 </dev/null >/dev/null 2>&1 &)")
    return machine


def _kill(cloud: LocalCloud) -> None:
    """End the emulator as a crash does, and wait until it is gone."""
    emulator = psutil.Process(json.loads((cloud.state / "server.json").read_text())["pid"])
    emulator.kill()
    until(lambda: has_ended(emulator))


def _localcloud(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "localcloud", *arguments], cwd=REPOSITORY, check=True, timeout=120)
