"""The processes of a machine: begin them, ask about them, end them. All that is known of them is in the kernel.

So a local cloud that comes back after `kill -9` finds every machine, and `down` does too.
"""

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from localcloud.clock import comes_true
from localcloud.machines.base import MachineSpec, Mount
from localcloud.machines.errors import MachineError
from localcloud.machines.nspawn import network
from localcloud.machines.nspawn.disk import MachineDisk
from localcloud.machines.nspawn.tools import cgroup_root, tool_environment

_LAUNCHER = Path(__file__).with_name("launcher.sh")
_SSH_PORT = 22
_LISTENING = "0A"
"""A socket's state in /proc/net/tcp."""
_END_SECONDS = 30.0
_SETTINGS = {
    # The machine's systemd makes do with the unified hierarchy, whichever this computer uses itself.
    "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1",
    # /tmp is on the disk, as on Lambda: a package that is built there may need more than a share of the memory.
    "SYSTEMD_NSPAWN_TMPFS_TMP": "0",
    # A killed one would leave its lock files; a machine has one launcher anyway.
    "SYSTEMD_NSPAWN_LOCK": "0",
}


class Container:
    """The processes of one machine. Making the object touches nothing; every method blocks."""

    def __init__(self, disk: MachineDisk) -> None:
        self._disk = disk
        self._id = disk.instance_id
        self._cgroup = (cgroup_root() or Path("/sys/fs/cgroup")) / f"localcloud-{self._id}"

    def launcher(self) -> int | None:
        """Process id of the launcher; None when the machine is off."""
        return next(iter(_processes(self._cgroup / "launcher")), None)

    def begin(self, spec: MachineSpec, image: Path) -> subprocess.Popen[str]:
        """Begin to boot; the process has to be waited for when it has ended.

        Raises:
            MachineError: something of this computer does not allow it, such as an address that is taken.
        """
        name = f"lc-{self._id[:12]}"
        words = [_LAUNCHER, self._disk.path, image, self._cgroup, name, spec.ip, network.gateway_of(spec.ip)]
        arguments = [f"--hostname={spec.hostname}", *_binds(spec.mounts)]
        with self._disk.console.open("a") as console:
            process = subprocess.Popen(
                ["unshare", "--mount", "--propagation=private", "--net", "--", *map(str, words), *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=console,
                env={**tool_environment(), **_SETTINGS},
                cwd="/",
                text=True,
                start_new_session=True,
            )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            with process.stdin, process.stdout:
                if process.stdout.readline().strip() != "ready":
                    raise MachineError(f"machine {self._id} does not start: {self._disk.last_words()}")
                network.connect(self._id, spec.ip, process.pid)
                process.stdin.write("connected\n")
        except BaseException:
            process.kill()
            process.wait()
            self.kill()
            raise
        return process

    def answers_ssh(self) -> bool:
        """Whether something listens on the SSH port in the machine's network, whatever the firewall says."""
        launcher = self.launcher()
        return launcher is not None and _listens(launcher, _SSH_PORT)

    def shut_down(self, seconds: float) -> None:
        """Have the machine's systemd stop everything in order; what takes longer than `seconds` is killed."""
        for process_id in _processes(self._cgroup / "machine" / "supervisor"):
            with suppress(ProcessLookupError):
                os.kill(process_id, signal.SIGTERM)
        comes_true(lambda: self.launcher() is None, seconds, every=0.1)
        self.kill()

    def kill(self) -> None:
        """End every process at once, and let go of the network. Raises MachineError when one does not end."""
        alive: Sequence[int] = ()

        def have_ended() -> bool:
            nonlocal alive
            # The launcher goes first: it would take a killed machine for one that is off, but not begin a new one.
            alive = _processes_below(self._cgroup)
            for process_id in alive:
                with suppress(ProcessLookupError):
                    os.kill(process_id, signal.SIGKILL)
            return not alive

        if not comes_true(have_ended, _END_SECONDS, every=0.05):
            raise MachineError(f"machine {self._id}: processes {alive} do not end; end them by hand and try again")
        network.disconnect(self._id)
        _remove_cgroup(self._cgroup)
        with suppress(OSError):
            Path(f"/run/systemd/nspawn/propagate/lc-{self._id[:12]}").rmdir()


def _binds(mounts: Sequence[Mount]) -> list[str]:
    return [f"--bind={_no_colons(str(mount.folder))}:{_no_colons(mount.mount_point)}" for mount in mounts]


def _no_colons(path: str) -> str:
    return path.replace("\\", "\\\\").replace(":", "\\:")


def _processes(cgroup: Path) -> list[int]:
    try:
        return [int(line) for line in (cgroup / "cgroup.procs").read_text().split()]
    except OSError:
        return []


def _processes_below(cgroup: Path) -> list[int]:
    # A process in no process namespace of ours is shown as 0; none of a machine's is.
    return [number for folder, _, _ in os.walk(cgroup) for number in _processes(Path(folder)) if number > 0]


def _remove_cgroup(cgroup: Path) -> None:
    """Remove the whole tree; its files are the kernel's and go by themselves."""
    for folder, _, _ in os.walk(cgroup, topdown=False):
        with suppress(OSError):
            Path(folder).rmdir()


def _listens(process_id: int, port: int) -> bool:
    for family in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in Path(f"/proc/{process_id}/net/{family}").read_text().splitlines()[1:]:
                _, local, _, state, *_ = line.split()
                if state == _LISTENING and int(local.rpartition(":")[2], 16) == port:
                    return True
    return False
