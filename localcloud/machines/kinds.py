"""The kinds of machines, by the names that `--machines` has for them."""

from pathlib import Path

from localcloud.machines.accelerator import Accelerator
from localcloud.machines.base import Machines
from localcloud.machines.none import NoMachines
from localcloud.machines.nspawn.machines import NspawnMachines
from localcloud.machines.process import ProcessMachines
from localcloud.machines.ssh_faults import SshFaults


def machines_of_kind(
    kind: str,
    root: Path,
    accelerator: Accelerator | None,
    faults: SshFaults | None = None,
    disk_bytes: int | None = None,
) -> Machines:
    """Machines of one kind, below `root`; only process machines have an accelerator, a size, and SSH that fails."""
    if kind == "none":
        return NoMachines()
    return NspawnMachines(root) if kind == "nspawn" else ProcessMachines(root, accelerator, faults, disk_bytes)


def all_kinds(root: Path) -> tuple[NspawnMachines, ProcessMachines]:
    """The kinds that leave something on disk, whichever the machines there are of.

    The order matters: processes end and folders go for the last kind as for any folder, networks only for the first.
    """
    return NspawnMachines(root), ProcessMachines(root)
