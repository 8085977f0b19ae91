"""The folder that is a machine's disk: what lies where, how it is laid and how it is taken away."""

import dataclasses
import json
import os
import shlex
import shutil
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID, uuid4, uuid5

import asyncssh

from localcloud.account.folders import remove_folder
from localcloud.errors import LocalCloudError
from localcloud.files import replace_file
from localcloud.machines import disk_image, mounts, small_disk
from localcloud.machines.accelerator import Accelerator
from localcloud.machines.base import MachineSpec
from localcloud.machines.environment import USER, machine_environment
from localcloud.machines.errors import MachineError
from localcloud.machines.processes import check_markable, mark_of

_HERE = Path(__file__).resolve().parent


class Disk:
    """The disk of one machine at `<root>/<instance_id>`. Making the object touches nothing."""

    def __init__(self, root: Path, instance_id: str) -> None:
        self.instance_id = instance_id
        self.path = root.absolute() / instance_id
        self.home = self.path / "home" / USER
        self.authorized_keys = self.home / ".ssh" / "authorized_keys"
        self.boot_finished = self.path / "var" / "lib" / "cloud" / "boot-finished"
        self.boot_script = self.path / "var" / "lib" / "cloud" / "user-data-script"
        self.cloud_init_log = self.path / "var" / "log" / "cloud-init.log"
        self.boot_log = self.path / "var" / "log" / "cloud-init-output.log"
        self.linger = self.path / "var" / "lib" / "systemd" / "linger"
        self.temporary = Path(f"/tmp/localcloud-{instance_id[:12]}")  # noqa: S108 - made as a link, never written through
        self.boot_id = self.path / "run" / "boot_id"
        self._mounts = self.path / "etc" / "mounts.json"
        self._host_key = self.path / "etc" / "ssh" / "ssh_host_ed25519_key"
        self._environment = self.path / "etc" / "environment.json"

    def lay(self, spec: MachineSpec, accelerator: Accelerator | None, size: int | None = None) -> None:
        """Make what is missing and renew the tools; what the machine's user has written stays.

        `size` is how many bytes the disk holds; None for as many as there are.

        Raises MachineError when a process cannot be marked on this computer, or a link cannot be made.
        """
        check_markable()
        if spec.disk_bytes is not None:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            small_disk.mount(self.path, spec.disk_bytes)
        elif size is not None:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            disk_image.mount(self.path, size)
        for folder in ("bin", "etc/ssh", "var/log/journal", "var/lib/cloud", "var/lib/systemd", "run", "mnt", "tmp"):
            (self.path / folder).mkdir(parents=True, exist_ok=True)
        self.authorized_keys.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self.path / "run" / "user").mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.chmod(0o700)
        self._link_temporary()
        if not self.boot_id.exists():
            _write(self.boot_id, f"{uuid4()}\n", 0o644)
        boot_id = self.boot_id.read_text().strip()
        environment = machine_environment(spec.instance_id, spec.ip, self.path, self.temporary, boot_id, os.environ)
        _write(self.path / "spec.json", json.dumps(dataclasses.asdict(spec), indent=2, default=str), 0o600)
        _write(self._environment, json.dumps(environment, indent=2), 0o600)
        _write(self.path / "etc" / "locale.conf", "LANG=C.UTF-8\n", 0o644)
        self._lay_mounts(spec)
        self._lay_profile(spec.hostname)
        self._lay_tools()
        self._lay_accelerator(spec, accelerator)

    def environment(self) -> dict[str, str]:
        """What every process of the machine starts with."""
        environment: dict[str, str] = json.loads(self._environment.read_text())
        return environment

    def entry(self) -> list[str]:
        """What comes before a command line that is to run on the machine."""
        return [*self._bare_entry(), *mounts.arguments(self.mounted()), "--"]

    def mounted(self) -> dict[str, str]:
        """Mount points to the folders that the machine's processes see there."""
        mounted: dict[str, str] = json.loads(self._mounts.read_text())
        return mounted

    def keep_host_key(self, private_key: str) -> None:
        """Make this the key the machine's SSH server is known by."""
        _write(self._host_key, private_key, 0o600)

    def host_key(self) -> asyncssh.SSHKey:
        """The SSH server's key; made at the first call unless one is kept already."""
        if not self._host_key.exists():
            self.keep_host_key(asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode())
        return asyncssh.read_private_key(self._host_key)

    def clear_volatile(self) -> None:
        """Empty what a reboot empties: /run and /tmp."""
        for folder in (self.path / "run", self.path / "tmp"):
            shutil.rmtree(folder, ignore_errors=True)

    def remove(self) -> None:
        """Take the whole disk away; fine when it is gone already. Blocks, for gigabytes of small files for seconds."""
        self.temporary.unlink(missing_ok=True)
        disk_image.unmount(self.path)
        try:
            remove_folder(self.path)
        except LocalCloudError as error:
            raise MachineError(f"machine {self.instance_id}: {error}") from None

    def _link_temporary(self) -> None:
        # The name of a Unix socket ends at 107 bytes (unix(7)), and vLLM puts sockets with 36 letters in TMPDIR:
        # too many below the path of most checkouts.
        try:
            self.temporary.unlink(missing_ok=True)
            self.temporary.symlink_to(self.path / "tmp")
        except OSError as error:
            raise MachineError(f"{self.temporary} cannot be replaced ({error.strerror}); remove it") from error

    def _bare_entry(self) -> list[str]:
        program = str(_HERE / "enter.py")
        return [_base_interpreter(), "-I", "-S", program, str(mark_of(self.instance_id)), str(self.path / "mnt")]

    def _lay_mounts(self, spec: MachineSpec) -> None:
        placing = mounts.place(spec.mounts, self.home, self._bare_entry())
        _write(self._mounts, json.dumps(placing.mounted), 0o600)
        with self.boot_log.open("a") as log:
            log.writelines(f"{remark}\n" for remark in placing.remarks)

    def _lay_profile(self, hostname: str) -> None:
        profile = self.home / ".profile"
        if profile.exists():
            return
        # /etc/profile, which every login shell reads first, may have set another PATH.
        lines = [
            f'PATH={shlex.quote(str(self.path / "bin"))}:"$PATH"',
            '[ -d "$HOME/.local/bin" ] && PATH="$HOME/.local/bin:$PATH"',
            f"PS1={shlex.quote(f'{USER}@{hostname}')}':\\w\\$ '",
        ]
        _write(profile, "\n".join(lines) + "\n", 0o644)

    def _lay_tools(self) -> None:
        tools = self.path / "bin"
        for script in (_HERE / "bin").iterdir():
            _write(tools / script.name, script.read_text(), 0o755)
        # Scripts and not links: the interpreter finds its library by its own path, also for environments made from it.
        for name in ("python3", "python"):
            _write_command(tools / name, _base_interpreter())
        launcher = _HERE / "user_systemd.py"
        _write_command(tools / "systemctl", sys.executable, "-I", str(launcher), str(self.path))

    def _lay_accelerator(self, spec: MachineSpec, accelerator: Accelerator | None) -> None:
        program, profile = self.path / "bin" / "nvidia-smi", self.path / "etc" / "accelerator.json"
        if accelerator is None or not spec.gpus:
            program.unlink(missing_ok=True)
            return
        uuids = [f"GPU-{uuid5(UUID(hex=spec.instance_id), str(gpu))}" for gpu in range(spec.gpus)]
        lay_nvidia_smi(program, profile, accelerator, uuids)


def lay_nvidia_smi(program: Path, profile: Path, accelerator: Accelerator, uuids: Sequence[str]) -> None:
    """Make the program, which reads the profile, for as many GPUs as there are UUIDs."""
    _write(profile, json.dumps({**accelerator.model_dump(), "uuids": uuids}, indent=2), 0o644)
    _write_command(program, _base_interpreter(), "-I", "-S", str(_HERE / "nvidia_smi.py"), str(profile))


def _base_interpreter() -> str:
    """The real Python below virtual environments and version managers' shims."""
    executable: str = getattr(sys, "_base_executable", sys.executable)
    return str(Path(executable).resolve())


def _write(path: Path, text: str, mode: int) -> None:
    """Replace the file whole: a running machine may be reading it. One that is right needs no room on a full disk."""
    if path.exists() and path.read_text() == text and stat.S_IMODE(path.stat().st_mode) == mode:
        return
    replace_file(path, text, mode)


def _write_command(path: Path, *command: str) -> None:
    _write(path, f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n', 0o755)
