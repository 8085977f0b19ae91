"""The border between Lambda's API and the machines: all that one knows of the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from localcloud.account.records import FirewallRule


@dataclass(frozen=True)
class Mount:
    """A filesystem that a machine has, as launched."""

    name: str
    folder: Path
    """The folder of this computer that is the filesystem; it is there before any machine that has it."""
    mount_point: str
    """Absolute path at which the machine has it, `/lambda/nfs/<name>` unless the launch said otherwise."""


@dataclass(frozen=True)
class MachineSpec:
    """What a machine is made from; fixed at launch and kept for resume and restart."""

    instance_id: str
    """32 lower-case hexadecimal digits."""
    ip: str
    hostname: str
    instance_type: str
    authorized_keys: tuple[str, ...]
    """Public keys in OpenSSH's one-line form that may log in as `ubuntu`."""
    user_data: str | None
    """cloud-init text, exactly as it was given at launch."""
    gpus: int = 0
    """How many the instance type has; which accelerator they are is a matter of the kind of machine."""
    mounts: tuple[Mount, ...] = ()
    disk_bytes: int | None = None
    """A fault: how much the disk holds, where a machine can have one of its own; None for as much as there is."""
    firewall: tuple[FirewallRule, ...] = ()
    """What is let in, as it is at the moment; nothing else is."""


class Machines(Protocol):
    """A kind of machine. Every method may be called again after a crash: each ends in the state that its name says."""

    kind: str
    ssh_port: int

    def allocate_ip(self, taken: set[str]) -> str:
        """An address outside `taken` that nothing on this computer listens on, another local cloud included."""
        ...

    async def start(self, spec: MachineSpec) -> None:
        """First boot: lay the disk, apply the user data, listen for SSH."""
        ...

    async def resume(self, spec: MachineSpec) -> None:
        """The emulator came back: listen for SSH again, leave the machine's processes alone."""
        ...

    async def restart(self, spec: MachineSpec) -> None:
        """Reboot: end the processes, start the enabled units, listen for SSH."""
        ...

    async def firewall(self, instance_id: str, ip: str, rules: Sequence[FirewallRule]) -> None:
        """Let in what these rules say from now on, and nothing else; a machine that is not there is fine."""
        ...

    async def destroy(self, instance_id: str) -> None:
        """End every process of the machine and remove its disk; a machine that is not there is fine."""
        ...

    async def close(self) -> None:
        """The emulator shuts down: stop listening; what runs on the machines goes on."""
        ...
