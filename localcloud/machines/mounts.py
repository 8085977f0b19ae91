"""Where on a machine its filesystems are: at their mount points if this computer allows it, in the home otherwise."""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from localcloud.machines.base import Mount
from localcloud.machines.cloud_init import HOME


@dataclass(frozen=True)
class Placing:
    """What has been decided for the filesystems of one machine."""

    mounted: dict[str, str]
    """Mount points to folders, to be mounted for every process of the machine."""
    remarks: tuple[str, ...]
    """Lines for the log of the boot, one for each filesystem that is not where the launch wanted it."""


def place(mounts: Sequence[Mount], home: Path, entry: Sequence[str]) -> Placing:
    """Decide, and make the links in the home. Blocks.

    `entry` is the command line of `enter.py` up to the mounts. A mount point in the home of `ubuntu` needs no mount: it
    is a link in the home of the machine.
    """
    inside = [mount for mount in mounts if _in_home(mount)]
    outside = [mount for mount in mounts if not _in_home(mount)]
    possible = [mount for mount in outside if not home.is_relative_to(mount.mount_point)]
    mounted = {str(PurePosixPath(mount.mount_point)): str(mount.folder) for mount in possible}
    refusal = _try(mounted, entry)
    linked = [mount for mount in outside if refusal or mount not in possible]
    links = {mount: home / PurePosixPath(mount.mount_point).relative_to(HOME) for mount in inside}
    links |= {mount: home / mount.name for mount in linked}
    remarks = [_remark(mount, refusal or "the machine's own disk lies below it") for mount in linked]
    for mount, link in links.items():
        if not _link(link, mount.folder):
            remarks.append(f"filesystem {mount.name} cannot be at ~/{link.relative_to(home)}: something else is there")
    return Placing({} if refusal else mounted, tuple(remarks))


def arguments(mounted: Mapping[str, str]) -> list[str]:
    """Mount points and their folders as `enter.py` takes them."""
    return [f"{folder}={point}" for point, folder in mounted.items()]


def _in_home(mount: Mount) -> bool:
    return HOME in PurePosixPath(mount.mount_point).parents


def _try(mounted: Mapping[str, str], entry: Sequence[str]) -> str | None:
    """Why this computer does not let the filesystems be mounted; None when it does."""
    if not mounted:
        return None
    command = [*entry, *arguments(mounted), "--", "/bin/true"]
    tried = subprocess.run(command, cwd="/", env={}, capture_output=True, text=True, check=False)
    if tried.returncode == 0:
        return None
    return f"no mount namespace is to be had here ({tried.stderr.strip().rpartition(': ')[2]})"


def _remark(mount: Mount, why: str) -> str:
    return f"filesystem {mount.name} is at ~/{mount.name} and not at {mount.mount_point}: {why}"


def _link(link: Path, folder: Path) -> bool:
    """Have the link; whether it is there."""
    link.parent.mkdir(parents=True, exist_ok=True)
    if link.is_symlink() and link.readlink() == folder:
        return True
    try:
        link.symlink_to(folder)
    except FileExistsError:
        return False
    return True
