"""A machine whose disk is full: writes fail as they do on a real one."""

from pathlib import Path
from uuid import uuid4

import pytest

from localcloud.machines.base import MachineSpec
from localcloud.machines.disk_image import image_of, why_not
from localcloud.machines.process import ProcessMachines
from localcloud.machines.small_disk import can_mount
from tests.support.process_machine import booted, check

SIZE = 4 * 1024 * 1024


@pytest.mark.skipif(not can_mount(), reason="only root may mount")
def test_writes_on_a_full_disk_fail_for_want_of_space_and_nothing_is_left(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with booted(tmp_path, disk_bytes=SIZE) as machine:
            full = await machine.ssh("echo early > kept; head -c 8000000 /dev/zero > big")
            assert (full.status, "No space left on device" in full.errors) == (1, True), full
            await machine.machines.resume(machine.spec)
            assert (await machine.ssh("cat kept; rm big; echo late > kept; cat kept")).output == "early\nlate\n"
            disk = machine.home.parents[1]
            assert disk.is_mount()
        assert not disk.exists()

    check(scenario())


@pytest.mark.skipif(not can_mount(), reason="only root may mount")
def test_a_small_disk_is_removed_by_a_cloud_that_did_not_make_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        machines = ProcessMachines(tmp_path)
        spec = MachineSpec(uuid4().hex, machines.allocate_ip(set()), "box", "gpu_1x_gh200", (), None, disk_bytes=SIZE)
        await machines.start(spec)
        await machines.close()
        await ProcessMachines(tmp_path).destroy(spec.instance_id)
        assert list(tmp_path.iterdir()) == []

    check(scenario())


@pytest.mark.skipif(why_not() is not None, reason="only root may mount, and mkfs.ext4 is needed")
def test_a_disk_of_a_size_holds_that_much_over_a_restart_and_leaves_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        machines = ProcessMachines(tmp_path, disk_bytes=16 * SIZE)
        spec = MachineSpec(uuid4().hex, machines.allocate_ip(set()), "box", "gpu_1x_gh200", (), None)
        disk = tmp_path / spec.instance_id
        await machines.start(spec)
        try:
            home = disk / "home" / "ubuntu"
            (home / "kept").write_text("early")
            with pytest.raises(OSError, match="No space left"), (home / "big").open("wb") as big:
                for _ in range(17):
                    big.write(b"0" * SIZE)
                    big.flush()
            (home / "big").unlink()
            assert image_of(disk).stat().st_blocks * 512 <= 17 * SIZE
            await machines.restart(spec)
            assert (home / "kept").read_text() == "early"
            await machines.close()
            # Another process of the cloud takes it up.
            await ProcessMachines(tmp_path, disk_bytes=16 * SIZE).resume(spec)
            assert (home / "kept").read_text() == "early"
        finally:
            await ProcessMachines(tmp_path).destroy(spec.instance_id)
        assert list(tmp_path.iterdir()) == []

    check(scenario())
