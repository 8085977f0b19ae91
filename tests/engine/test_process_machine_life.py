"""A `process` machine from boot to destruction: its units, its processes and what is left of it."""

import asyncio
import shutil
import socket
from pathlib import Path

import psutil
import pytest

from localcloud.machines.process import ProcessMachines
from localcloud.machines.processes import processes_of
from tests.support.polling import until_async
from tests.support.process_machine import booted, check, free_port, has_ended, http_get, last_words

SINCE_WHEN = "echo $LOCALCLOUD_BOOT_ID; uptime -s"

pytestmark = pytest.mark.skipif(shutil.which("ssh") is None, reason="needs an OpenSSH client")


def test_lost_connection_ends_the_foreground_and_leaves_the_detached(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with booted(tmp_path) as machine:
            await machine.ssh("setsid nohup sleep 301 >/dev/null 2>&1 &")
            client = await asyncio.create_subprocess_exec(*machine.ssh_command("sleep 302; sleep 303"))
            await until_async(lambda: "302" in last_words(machine))
            client.kill()
            await client.wait()
            await until_async(lambda: last_words(machine) == ["301"])

    check(scenario())


def test_another_local_cloud_process_resumes_and_destroys_from_disk(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with booted(tmp_path) as machine:
            await machine.ssh("setsid sleep 305 >/dev/null 2>&1 &")
            client = await asyncio.create_subprocess_exec(*machine.ssh_command("sleep 306; sleep 307"))
            await until_async(lambda: "306" in last_words(machine))
            await machine.machines.close()
            await client.wait()
            await until_async(lambda: last_words(machine) == ["305"])
            assert "refused" in (await machine.ssh("true")).errors
            successor = ProcessMachines(tmp_path / "machines")
            await successor.resume(machine.spec)
            # The known host key is checked here: it has to be the old one.
            assert "sleep 305" in (await machine.ssh("ps -ef")).output
            await successor.close()
            await ProcessMachines(tmp_path / "machines").destroy(machine.spec.instance_id)
            assert processes_of(machine.spec.instance_id) == []
            assert not machine.home.exists()

    check(scenario())


def test_user_units_live_as_with_systemd(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with booted(tmp_path) as machine:
            port = free_port(machine.spec.ip)
            await machine.write_unit(port)
            assert (await machine.ssh("systemctl --user is-active web")).status == 3
            started = await machine.ssh(
                "export STRAY=1; systemctl --user daemon-reload && systemctl --user enable web.service"
                " && systemctl --user start web.service"
            )
            assert started.status == 0, started
            assert "web.env" in await http_get(machine.spec.ip, port)
            assert (await machine.ssh("systemctl --user is-active web")).output == "active\n"
            assert (await machine.ssh("systemctl --user is-enabled web")).output == "enabled\n"
            shown = await machine.ssh("systemctl --user show web -p ActiveState")
            assert shown.output == "ActiveState=active\n"
            service = psutil.Process(int((await machine.ssh("systemctl --user show web -p MainPID --value")).output))
            environment = service.environ()
            assert environment["LOCALCLOUD_INSTANCE"] == machine.spec.instance_id
            assert "STRAY" not in environment
            assert (await machine.ssh("systemctl --user restart web")).status == 0
            assert has_ended(service)
            await http_get(machine.spec.ip, port)
            assert "active" in (await machine.ssh("systemctl --user status web")).output
            assert f"serving on {machine.spec.ip}" in (await machine.ssh("journalctl --user -u web -n 50")).output
            assert (await machine.ssh("systemctl --user stop web")).status == 0
            assert (await machine.ssh("systemctl --user is-active web")).output == "inactive\n"
            assert processes_of(machine.spec.instance_id) == []

    check(scenario())


def test_units_of_one_machine_are_unknown_to_another(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with booted(tmp_path) as machine, booted(tmp_path) as other:
            for each in (machine, other):
                await each.write_unit(8000)
            await machine.ssh("systemctl --user start web")
            assert (await machine.ssh("systemctl --user is-active web")).output == "active\n"
            assert (await other.ssh("systemctl --user is-active web")).output == "inactive\n"

    check(scenario())


@pytest.mark.parametrize("lingering", [True, False])
def test_reboot_brings_back_enabled_units_of_a_lingering_user(tmp_path: Path, lingering: bool) -> None:
    async def scenario() -> None:
        async with booted(tmp_path) as machine:
            port = free_port(machine.spec.ip)
            await machine.write_unit(port)
            await machine.ssh("systemctl --user enable web; setsid sleep 306 >/dev/null 2>&1 &")
            await machine.ssh("touch $TMPDIR/x kept; loginctl " + ("enable-linger" if lingering else "disable-linger"))
            before = (await machine.ssh(SINCE_WHEN)).output
            await asyncio.sleep(1)
            await machine.machines.resume(machine.spec)
            assert (await machine.ssh(SINCE_WHEN)).output == before
            await machine.machines.restart(machine.spec)
            after = (await machine.ssh(SINCE_WHEN)).output
            assert all(now != then for now, then in zip(after.splitlines(), before.splitlines(), strict=True))
            assert (await machine.ssh("ls kept $TMPDIR")).output.split()[0] == "kept"
            assert "sleep 306" not in (await machine.ssh("ps -ef")).output
            active = (await machine.ssh("systemctl --user is-active web")).output
            assert active == ("active\n" if lingering else "inactive\n")

    check(scenario())


@pytest.mark.parametrize(
    ("command", "status", "said"),
    [
        ("sudo -n true", 1, "sudo: there is no root on this machine\n"),
        ("systemctl start nginx", 1, "systemctl: this machine has only user units\n"),
        ("loginctl show-user ubuntu -p Linger", 0, "Linger=no\n"),
        ("loginctl enable-linger ubuntu && loginctl show-user ubuntu --property=Linger --value", 0, "yes\n"),
    ],
)
def test_what_a_machine_lacks_it_says_in_one_line(tmp_path: Path, command: str, status: int, said: str) -> None:
    async def scenario() -> None:
        async with booted(tmp_path) as machine:
            result = await machine.ssh(command)
            assert (result.status, result.output + result.errors) == (status, said)

    check(scenario())


def test_virtual_environments_can_be_made_and_sockets_have_room_in_tmpdir(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with booted(tmp_path) as machine:
            made = await machine.ssh("python3 -m venv --without-pip v && v/bin/python -c 'import json, ssl; print(1)'")
            assert made.output == "1\n", made
            bound = await machine.ssh(
                "python3 -c \"import os, socket, uuid; d = os.environ['TMPDIR'];"
                " socket.socket(socket.AF_UNIX).bind(f'{d}/{uuid.uuid4()}'); print(len(os.listdir(d)))\""
            )
            assert bound.output == "1\n", bound

    check(scenario())


def test_addresses_in_use_are_not_given_out(tmp_path: Path) -> None:
    following = ProcessMachines(tmp_path)
    first, second, third = (following.allocate_ip(set()) for _ in range(3))
    with socket.socket() as occupier:
        occupier.bind((first, 2222))
        occupier.listen()
        assert ProcessMachines(tmp_path).allocate_ip({second}) == third
