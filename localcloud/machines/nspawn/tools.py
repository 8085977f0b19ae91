"""The programs that these machines are made with, and whether this computer has them."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from localcloud.errors import LocalCloudError
from localcloud.machines.errors import MachineError

PACKAGES = {
    "systemd-nspawn": "systemd-container",
    "mmdebstrap": "mmdebstrap",
    "nft": "nftables",
    "ip": "iproute2",
    "unshare": "util-linux",
}
"""Each program and the Debian package that has it."""

_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
"""Some of them are in folders that only root has on its PATH."""


def tool_environment() -> dict[str, str]:
    """The environment of this process, in which the programs are found."""
    return {**os.environ, "PATH": _PATH}


def check_host() -> None:
    """See that machines can be made here; nothing is touched.

    Raises:
        LocalCloudError: something is missing; the line says all of it, and how to get it.
    """
    missing = [PACKAGES[program] for program in PACKAGES if shutil.which(program, path=_PATH) is None]
    wrong = []
    if os.geteuid() != 0:
        wrong.append("need root: run it with sudo")
    if missing:
        wrong.append(f"need Debian packages that are not there: apt-get install {' '.join(missing)}")
    if not wrong and cgroup_root() is None:
        wrong.append("need the cgroup2 file system, mounted and writable")
    if not wrong and (refusal := _refusal()):
        wrong.append(f"need a kernel that allows network namespaces and nftables, and this one says `{refusal}`")
    if wrong:
        raise LocalCloudError(f"machines of the kind nspawn {', and '.join(wrong)}; or use --machines process")


def _refusal() -> str | None:
    """What a kernel, or a container around this computer's programs, has against machines; None when nothing."""
    try:
        run(["unshare", "--mount", "--net", "true"])
        run(["nft", "list", "tables"])
    except MachineError as error:
        return str(error)
    return None


def cgroup_root() -> Path | None:
    """Where the unified control groups are mounted; None when they are not, or cannot be written to."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, place, kind, *_ = line.split()
        if kind == "cgroup2" and os.access(place, os.W_OK):
            return Path(place)
    return None


def run(command: Sequence[str], text: str | None = None) -> str:
    """Run a program to its end, `text` as its input; what it printed. Blocks.

    Raises:
        MachineError: it failed; the text is the last line of what it said.
    """
    done = subprocess.run(
        command, input=text or "", env=tool_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        said = done.stderr.strip() or f"exit code {done.returncode}"
        raise MachineError(f"{command[0]} failed: {said.splitlines()[0]}")
    return done.stdout
