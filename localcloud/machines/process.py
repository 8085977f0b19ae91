"""Machines that are processes of this computer: no root, no image, no second kernel, and real SSH.

A machine has a loopback address of its own, a folder as its disk, an SSH server, `systemctl --user` and a clean
environment. What it is not:

- It is not isolated. Everything on it runs as you and can read and write what you can; it sees your processes,
  your memory and your disk. Run on it only what you would run yourself.
- It has no root, no system units and no package manager of its own; `sudo` refuses. Files are yours, whatever owner the
  user data names.
- It has no firewall: its address is reachable from this computer only, but on all ports.
- Its address is only a convention: a program that binds 0.0.0.0 takes the port on all machines. `BIND_ADDRESS` in the
  environment is the address to bind.
- A unit's `Restart=` is not honoured, and there are no limits on memory, processors or disk.
- It has filesystems at their mount points only where mount namespaces are to be had (see `mounts`).
- Its GPUs are what `nvidia-smi` says, and nothing more.
"""

import asyncio
import hashlib
import re
import socket
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from localcloud.account.records import FirewallRule
from localcloud.machines.accelerator import Accelerator
from localcloud.machines.base import MachineSpec
from localcloud.machines.boot import first_boot, start_units
from localcloud.machines.disk import Disk
from localcloud.machines.errors import MachineError
from localcloud.machines.processes import end_processes
from localcloud.machines.ssh_faults import SshFaults
from localcloud.machines.ssh_server import PORT, SshServer

_ADDRESSES = 256 * 254
_INSTANCE_ID = re.compile("[0-9a-f]{32}")


class ProcessMachines:
    """Machines below `root`, one folder each, whose GPUs say that they are `accelerator`s. Implements `Machines`."""

    kind = "process"
    ssh_port = PORT

    def __init__(
        self,
        root: Path,
        accelerator: Accelerator | None = None,
        faults: SshFaults | None = None,
        disk_bytes: int | None = None,
    ) -> None:
        self._root = root
        self._accelerator = accelerator
        self._faults = faults
        self._disk_bytes = disk_bytes
        self._servers: dict[str, SshServer] = {}
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._addresses = _addresses(root)

    def allocate_ip(self, taken: set[str]) -> str:
        """The next free address of 127.77.0.0/16. Raises MachineError when there is none."""
        for _ in range(_ADDRESSES):
            ip = next(self._addresses)
            if ip not in taken and _can_bind(ip):
                return ip
        raise MachineError(f"no address of 127.77.0.0/16 is free on port {PORT}; stop what listens on that port")

    async def start(self, spec: MachineSpec) -> None:
        """First boot. Raises MachineError when the address has been taken meanwhile."""
        disk = self._disk(spec.instance_id)
        async with self._turns[spec.instance_id]:
            await asyncio.to_thread(disk.lay, spec, self._accelerator, self._disk_bytes)
            await asyncio.to_thread(first_boot, disk, spec)
            await self._listen(disk, spec.ip)

    async def resume(self, spec: MachineSpec) -> None:
        """Listen for SSH again. Raises MachineError when the address has been taken meanwhile."""
        disk = self._disk(spec.instance_id)
        async with self._turns[spec.instance_id]:
            await asyncio.to_thread(disk.lay, spec, self._accelerator, self._disk_bytes)
            await self._listen(disk, spec.ip)

    async def restart(self, spec: MachineSpec) -> None:
        """Reboot. Raises MachineError when a process does not end or the address has been taken."""
        disk = self._disk(spec.instance_id)
        async with self._turns[spec.instance_id]:
            await self._stop_listening(spec.instance_id)
            await asyncio.to_thread(end_processes, spec.instance_id)
            await asyncio.to_thread(disk.clear_volatile)
            await asyncio.to_thread(disk.lay, spec, self._accelerator, self._disk_bytes)
            await self._listen(disk, spec.ip)
            await asyncio.to_thread(start_units, disk)

    async def firewall(self, instance_id: str, ip: str, rules: Sequence[FirewallRule]) -> None:
        """There is no firewall."""

    async def destroy(self, instance_id: str) -> None:
        """End and remove everything of the machine, known to this object or not.

        Raises MachineError when a process does not end or the disk cannot be removed; it may be called again then.
        """
        async with self._turns[instance_id]:
            await self._stop_listening(instance_id)
            await asyncio.to_thread(end_processes, instance_id)
            await asyncio.to_thread(self._disk(instance_id).remove)

    def on_disk(self) -> set[str]:
        """Ids of the machines of which there is something, whoever has started them."""
        folders = self._root.iterdir() if self._root.exists() else ()
        return {folder.name for folder in folders if _INSTANCE_ID.fullmatch(folder.name)}

    async def close(self) -> None:
        """Stop listening on all machines; their processes go on, those of open SSH sessions get SIGHUP."""
        await asyncio.gather(*(self._stop_listening(instance_id) for instance_id in list(self._servers)))

    def _disk(self, instance_id: str) -> Disk:
        return Disk(self._root, instance_id)

    async def _listen(self, disk: Disk, ip: str) -> None:
        await self._stop_listening(disk.instance_id)
        server = SshServer(disk, ip, self._faults)
        try:
            await server.listen()
        except OSError as error:
            raise MachineError(
                f"machine {disk.instance_id}: cannot listen on {ip}:{PORT} ({error.strerror}); stop what listens there"
            ) from error
        self._servers[disk.instance_id] = server

    async def _stop_listening(self, instance_id: str) -> None:
        server = self._servers.pop(instance_id, None)
        if server is not None:
            await server.close()


def _addresses(root: Path) -> Iterator[str]:
    """All addresses over and over, from a place that depends on the root.

    Two local clouds on one host seldom meet so, and an address just given back is not the next to be given out.
    """
    place = int.from_bytes(hashlib.sha256(str(root.absolute()).encode()).digest()[:4], "big")
    while True:
        place = (place + 1) % _ADDRESSES
        yield f"127.77.{place // 254}.{place % 254 + 1}"


def _can_bind(ip: str) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((ip, PORT))
        except OSError:
            return False
    return True
