"""The folder behind a machine: what is laid over the image before the first boot."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from localcloud.account.folders import remove_folder
from localcloud.errors import LocalCloudError
from localcloud.machines.base import MachineSpec
from localcloud.machines.errors import MachineError
from localcloud.machines.nspawn.host_access import carried_files

USER_ID = 1000
"""Of `ubuntu`, the first user that cloud-init makes."""
_LAID = "laid"


class MachineDisk:
    """The disk of one machine at `<root>/<instance_id>`. Making the object touches nothing."""

    def __init__(self, root: Path, instance_id: str) -> None:
        self.instance_id = instance_id
        self.path = root.absolute() / instance_id
        self.written = self.path / "nspawn"
        """All that differs from the image; the folder also says which kind of machine this is."""
        self.console = self.path / "console.log"
        self._address = self.path / "address"

    def exists(self) -> bool:
        """Whether the machine was ever begun."""
        return self.written.exists()

    def lay(self, spec: MachineSpec, host: Mapping[str, str]) -> None:
        """Lay what the first boot finds, if that has not been done. Blocks. `host` is this computer's environment."""
        if (self.path / _LAID).exists():
            return
        # What a crash has left half done is done again; no machine has run on it yet.
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.written, self.path / "work", self.path / "root"):
            folder.mkdir(exist_ok=True)
        # The root folder of a machine is for all its users, whatever this process' umask is.
        self.written.chmod(0o755)
        self._address.write_text(spec.ip)
        self._write("/etc/machine-id", spec.instance_id + "\n")
        self._write("/etc/hostname", spec.hostname + "\n")
        for file in carried_files(host):
            self._write(file.path, file.content, file.mode)
        for name, content in seed(spec).items():
            self._write(f"/var/lib/cloud/seed/nocloud/{name}", content, 0o600)
        for mount in spec.mounts:
            # As Lambda has it: the filesystem belongs to the login user.
            os.chown(mount.folder, USER_ID, USER_ID)
        (self.path / _LAID).touch()

    def address(self) -> str | None:
        """The machine's address; None when it never came so far that anything knows it."""
        return self._address.read_text() or None if self._address.exists() else None

    def last_words(self) -> str:
        """The last line on the console, for an error."""
        lines = self.console.read_text(errors="replace").split("\n") if self.console.exists() else []
        return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")

    def remove(self) -> None:
        """Take the disk away; fine when it is gone already. Blocks."""
        try:
            remove_folder(self.path)
        except LocalCloudError as error:
            raise MachineError(f"machine {self.instance_id}: {error}") from None

    def _write(self, path: str, content: str | bytes, mode: int = 0o644) -> None:
        target = self.written / path.lstrip("/")
        _make_folder(target.parent, self.written)
        target.unlink(missing_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
        target.chmod(mode)


def seed(spec: MachineSpec) -> dict[str, str]:
    """The files that cloud-init's NoCloud data source reads (its documentation, "NoCloud").

    The keys of the launch come as the cloud's, so that they hold beside those in the user data.
    """
    meta = {
        "instance-id": spec.instance_id,
        "local-hostname": spec.hostname,
        "public-keys": list(spec.authorized_keys),
        "local-ipv4": spec.ip,
    }
    return {"meta-data": json.dumps(meta, indent=2), "user-data": spec.user_data or "", "vendor-data": ""}


def _make_folder(folder: Path, root: Path) -> None:
    """Have the folder, all its parents below `root` with the permissions that system folders have."""
    if folder == root or folder.exists():
        return
    _make_folder(folder.parent, root)
    folder.mkdir()
    folder.chmod(0o755)
