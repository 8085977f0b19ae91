"""What a machine does by itself while it boots: user data the first time, enabled units every time after it."""

import subprocess
from pathlib import Path

from localcloud.machines import cloud_init
from localcloud.machines.base import MachineSpec
from localcloud.machines.disk import Disk


def first_boot(disk: Disk, spec: MachineSpec) -> None:
    """Apply the user data, once in the life of the disk. A script in it goes on running after this has returned."""
    if disk.cloud_init_log.exists():
        return
    user_data = cloud_init.parse(spec.user_data)
    remarks = list(user_data.remarks)
    if user_data.host_key:
        disk.keep_host_key(user_data.host_key)
    keys = (*spec.authorized_keys, *user_data.authorized_keys)
    disk.authorized_keys.write_text("".join(f"{key.strip()}\n" for key in keys))
    disk.authorized_keys.chmod(0o600)
    for file in user_data.files:
        try:
            _write_file(disk.home, file)
        except OSError as error:
            remarks.append(f"not honoured: write_files {cloud_init.HOME / file.path}: {error.strerror}")
    if user_data.script:
        _start_script(disk, user_data.script)
    else:
        disk.boot_finished.touch()
    # Written last: it is what says that this has been done.
    disk.cloud_init_log.write_text("".join(f"{remark}\n" for remark in remarks))


def start_units(disk: Disk) -> None:
    """Start what is enabled, as the user's systemd does at boot when lingering is on. Blocks until all have started."""
    wanted = sorted({link.name for link in disk.home.glob(".config/systemd/user/*.wants/*")})
    if not wanted or not disk.linger.exists():
        return
    with disk.boot_log.open("ab") as log:
        subprocess.run(
            [*disk.entry(), disk.path / "bin" / "systemctl", "--user", "start", *wanted],
            cwd=disk.home,
            env=disk.environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            check=False,
        )


def _write_file(home: Path, file: cloud_init.WrittenFile) -> None:
    path = home / file.path
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab" if file.append else "wb") as stream:
        path.chmod(file.mode)
        stream.write(file.content)


def _start_script(disk: Disk, script: str) -> None:
    disk.boot_script.write_text(script)
    disk.boot_script.chmod(0o700)
    # The outer shell ends at once, so that the script is nobody's child and outlives the local cloud.
    detached = '("$1" >>"$2" 2>&1; touch "$3") &'
    subprocess.run(
        [*disk.entry(), "/bin/sh", "-c", detached, "cloud-init", disk.boot_script, disk.boot_log, disk.boot_finished],
        cwd=disk.home,
        env=disk.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        check=True,
    )
