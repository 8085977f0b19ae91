"""Filesystems on `process` machines: where they are, who shares them, and how long what is in them lives."""

import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from localcloud.machines import mounts
from localcloud.machines.base import Mount
from tests.support.customer import Customer
from tests.support.local_cloud import LocalCloud, local_cloud
from tests.support.polling import until
from tests.support.process_machine import booted, check

pytestmark = pytest.mark.skipif(shutil.which("ssh") is None, reason="needs an OpenSSH client")


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[LocalCloud]:
    """A cloud of its own: the state folder is looked into."""
    with local_cloud(tmp_path / "state") as running:
        yield running


@pytest.fixture
def customer(cloud: LocalCloud, tmp_path: Path) -> Customer:
    return Customer(cloud, tmp_path)


def made(customer: Customer, name: str) -> str:
    filesystem_id: str = customer.call("POST", "/filesystems", {"name": name, "region": "us-east-3"})["id"]
    return filesystem_id


def bytes_used(customer: Customer) -> dict[str, Any]:
    return {one["name"]: one["bytes_used"] for one in customer.call("GET", "/file-systems")}


def where(customer: Customer, machine: str, mount_point: str, name: str) -> str:
    """Where a program on the machine finds the filesystem; that it is there is checked."""
    place = mount_point if can_mount() else f"~/{name}"
    return customer.ssh(machine, f"readlink -e {place}").strip()


@cache
def can_mount() -> bool:
    """Whether this computer lets its user have a mount namespace, by what util-linux says."""
    attempts = (["unshare", *flags, "mount", "-t", "tmpfs", "none", "/mnt"] for flags in (["-m"], ["-r", "-m"]))
    return any(subprocess.run(attempt, capture_output=True, check=False).returncode == 0 for attempt in attempts)


def test_machines_of_a_region_share_a_filesystem_that_outlives_them_and_goes_when_it_is_deleted(
    cloud: LocalCloud, customer: Customer
) -> None:
    weights = made(customer, "weights")
    writer = customer.launched(file_system_names=["weights"])
    place = where(customer, writer, "/lambda/nfs/weights", "weights")
    customer.ssh(writer, f"head -c 100000 /dev/zero >{place}/model; ln {place}/model {place}/again; chmod 500 {place}")
    reader = customer.launched(file_system_mounts=[{"mount_point": "/data/models", "file_system_id": weights}])
    elsewhere = where(customer, reader, "/data/models", "weights")
    assert customer.ssh(reader, f"wc -c <{elsewhere}/model").strip() == "100000"
    assert customer.ssh(reader, "ls -d /lambda/nfs/weights 2>/dev/null || true") == ""
    until(lambda: bytes_used(customer) == {"weights": 100000})
    customer.end(writer, reader)
    folder = cloud.state / "filesystems" / weights
    assert {file.name for file in folder.iterdir()} == {"model", "again"}
    customer.call("DELETE", f"/filesystems/{weights}")
    assert list((cloud.state / "filesystems").iterdir()) == []


def test_a_reboot_and_a_unit_find_the_filesystem_at_its_place(customer: Customer) -> None:
    made(customer, "data")
    machine = customer.launched(file_system_names=["data"])
    place = where(customer, machine, "/lambda/nfs/data", "data")
    unit = f"[Service]\nExecStart=/bin/sh -c 'date >>{place}/runs; sleep 1000'\n[Install]\nWantedBy=default.target\n"
    customer.ssh(machine, f"mkdir -p .config/systemd/user; printf %s '{_quoted(unit)}' >.config/systemd/user/a.service")
    customer.ssh(machine, "loginctl enable-linger; systemctl --user enable a; systemctl --user start a")
    until(lambda: customer.ssh(machine, f"wc -l <{place}/runs || true").strip() == "1")
    customer.call("POST", "/instance-operations/restart", {"instance_ids": [machine]})
    customer.active(machine)
    until(lambda: customer.ssh(machine, f"wc -l <{place}/runs").strip() == "2")


def test_user_data_scripts_and_file_transfers_see_what_logins_see(tmp_path: Path) -> None:
    async def scenario() -> None:
        folder = tmp_path / "filesystem"
        folder.mkdir()
        mounted = (Mount("data", folder, "/lambda/nfs/data"), Mount("data", folder, "/home/ubuntu/in/home/"))
        place = "/lambda/nfs/data" if can_mount() else "data"
        script = f"#!/bin/sh\ncd {place}\necho booted >written\n"
        async with booted(tmp_path, script, mounted) as machine, await machine.connect() as connection:
            assert (await machine.ssh("cloud-init status --wait")).output == "status: done\n"
            assert (folder / "written").read_text() == "booted\n"
            assert (await machine.ssh("cat in/home/written")).output == "booted\n"
            async with connection.start_sftp_client() as sftp:
                await sftp.put(str(machine.key), f"{place}/../data/sent")
            assert (await machine.ssh(f"cat {place}/sent")).output == machine.key.read_text()

    check(scenario())


def test_where_nothing_can_be_mounted_the_filesystem_is_in_the_home_and_the_log_says_so(tmp_path: Path) -> None:
    home, folder = tmp_path / "home", tmp_path / "filesystem"
    home.mkdir()
    folder.mkdir()
    refusing = tmp_path / "enter"
    refusing.write_text("#!/bin/sh\necho 'cannot start /bin/true: unshare: Operation not permitted' >&2\nexit 255\n")
    refusing.chmod(0o755)
    mount = Mount("data", folder, "/lambda/nfs/data")
    for _ in ("first boot", "reboot"):
        placing = mounts.place([mount], home, [str(refusing)])
        assert placing.mounted == {}
        assert placing.remarks == (
            "filesystem data is at ~/data and not at /lambda/nfs/data: "
            "no mount namespace is to be had here (Operation not permitted)",
        )
        assert (home / "data").readlink() == folder


def test_a_mount_point_above_the_machines_own_disk_does_not_hide_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        folder = tmp_path / "filesystem"
        folder.mkdir()
        async with booted(tmp_path, None, (Mount("data", folder, str(tmp_path)),)) as machine:
            assert (await machine.ssh("touch data/here; pwd")).output.strip() == str(machine.home)
            assert (folder / "here").exists()

    check(scenario())


def _quoted(text: str) -> str:
    return text.replace("'", "'\\''")
