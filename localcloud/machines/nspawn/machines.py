"""The kind of machines `nspawn`: the border to the API, and the order in which things are done."""

import asyncio
import os
import re
import subprocess
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from localcloud.account.records import FirewallRule
from localcloud.errors import LocalCloudError
from localcloud.machines.base import MachineSpec
from localcloud.machines.errors import MachineError
from localcloud.machines.nspawn import network
from localcloud.machines.nspawn.container import Container
from localcloud.machines.nspawn.disk import MachineDisk
from localcloud.machines.nspawn.firewall import Firewall
from localcloud.machines.nspawn.image import image_folder

_BOOT_SECONDS = 300.0
"""A machine boots in seconds; twenty at once on a busy computer take minutes."""
_SHUTDOWN_SECONDS = 20.0
_AT_ONCE = 4
"""Machines that boot at the same time: cloud-init keeps a processor busy, and more of them only wait for it."""
_INSTANCE_ID = re.compile("[0-9a-f]{32}")


class NspawnMachines:
    """Machines below `root`, one folder each. Implements `Machines`."""

    kind = "nspawn"
    ssh_port = 22

    def __init__(self, root: Path) -> None:
        self._root = root
        self._firewall = Firewall(root)
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._places = network.addresses(root)
        self._begun: dict[str, subprocess.Popen[str]] = {}
        self._rules: dict[str, Sequence[FirewallRule]] = {}
        self._firewall_turn = asyncio.Lock()
        self._boots = asyncio.Semaphore(_AT_ONCE)

    def allocate_ip(self, taken: set[str]) -> str:
        """The next free address. Raises MachineError when there is none."""
        return network.next_address(self._places, taken)

    async def start(self, spec: MachineSpec) -> None:
        """Boot, for the first time unless a killed local cloud has begun it. Raises MachineError when it cannot."""
        self._rules[spec.instance_id] = spec.firewall
        async with self._turns[spec.instance_id]:
            await self._boot(spec)

    async def resume(self, spec: MachineSpec) -> None:
        """See that the machine runs: it is off only when this computer has been, or when its user switched it off."""
        self._rules[spec.instance_id] = spec.firewall
        async with self._turns[spec.instance_id]:
            await self._switch_on(spec)

    async def restart(self, spec: MachineSpec) -> None:
        """Shut down in order, then boot. Raises MachineError when the machine does not end or cannot boot."""
        self._rules[spec.instance_id] = spec.firewall
        async with self._turns[spec.instance_id]:
            await asyncio.to_thread(self._container(spec.instance_id).shut_down, _SHUTDOWN_SECONDS)
            await self._boot(spec)

    async def firewall(self, instance_id: str, ip: str, rules: Sequence[FirewallRule]) -> None:
        """Let in what the rules say from now on, also while the machine boots. Raises MachineError."""
        self._rules[instance_id] = rules
        await self._put_rules(instance_id, ip)

    async def destroy(self, instance_id: str) -> None:
        """End and remove everything of the machine, known to this object or not.

        Raises MachineError when a process does not end or the disk cannot be removed; it may be called again then.
        """
        disk = self._disk(instance_id)
        self._rules.pop(instance_id, None)
        async with self._turns[instance_id]:
            if disk.exists():
                await asyncio.to_thread(self._container(instance_id).kill)
                async with self._firewall_turn:
                    await asyncio.to_thread(self._close_firewall, disk)
                    await asyncio.to_thread(disk.remove)
            if process := self._begun.pop(instance_id, None):
                await asyncio.to_thread(process.wait)

    async def close(self) -> None:
        """Nothing is held: machines and their firewall go on."""

    def on_disk(self) -> set[str]:
        """Ids of the machines of this kind that there are."""
        folders = self._root.iterdir() if self._root.exists() else ()
        names = {folder.name for folder in folders if _INSTANCE_ID.fullmatch(folder.name)}
        return {name for name in names if self._disk(name).exists()}

    async def _boot(self, spec: MachineSpec) -> None:
        async with self._boots:
            await self._switch_on(spec)
            await self._wait_for_ssh(self._container(spec.instance_id), self._disk(spec.instance_id))

    async def _switch_on(self, spec: MachineSpec) -> None:
        """Have the machine on, behind its firewall."""
        container, disk = self._container(spec.instance_id), self._disk(spec.instance_id)
        await asyncio.to_thread(disk.lay, spec, os.environ)
        await self._put_rules(spec.instance_id, spec.ip)
        if container.launcher() is None:
            # Something may be left of one that has ended badly.
            await asyncio.to_thread(container.kill)
            image = await asyncio.to_thread(_image)
            self._begun[spec.instance_id] = await asyncio.to_thread(container.begin, spec, image)

    async def _put_rules(self, instance_id: str, ip: str) -> None:
        """Put the newest rules: they may have changed since the machine was asked for."""
        async with self._firewall_turn:
            rules = self._rules.get(instance_id)
            if rules is not None and self._disk(instance_id).exists():
                await asyncio.to_thread(self._firewall.put, ip, rules)

    async def _wait_for_ssh(self, container: Container, disk: MachineDisk) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + _BOOT_SECONDS
        while not container.answers_ssh():
            if container.launcher() is None:
                raise MachineError(f"machine {disk.instance_id} ended while it booted: {disk.last_words()}")
            if loop.time() > end:
                raise MachineError(f"machine {disk.instance_id} has no SSH server after {_BOOT_SECONDS:.0f} seconds")
            await asyncio.sleep(0.2)

    def _close_firewall(self, disk: MachineDisk) -> None:
        ip = disk.address()
        if ip is not None:
            self._firewall.drop(ip)

    def _disk(self, instance_id: str) -> MachineDisk:
        return MachineDisk(self._root, instance_id)

    def _container(self, instance_id: str) -> Container:
        return Container(self._disk(instance_id))


def _image() -> Path:
    try:
        return image_folder(os.environ)
    except LocalCloudError as error:
        raise MachineError(str(error)) from error
