"""What this machine says of its GPU and its system."""

import platform
import re
import shutil
import subprocess
from pathlib import Path

from components.on_machine.driver.decision import Machine
from components.on_machine.shared.accelerator import has_nvidia_device, nvidia_smi, said_by_nvidia_smi

OS_RELEASE = Path("/etc/os-release")


def read_machine(upgrade_pending: bool) -> Machine:
    """This machine; whether an upgrade waits for its reboot is ours to know."""
    system, architecture = ubuntu(), platform.machine()
    if shutil.which("nvidia-smi") is None:
        return Machine("", "", system, architecture, has_nvidia_device(), upgrade_pending=upgrade_pending)
    gpus = nvidia_smi("driver_version,name")
    if not gpus:
        failure = said_by_nvidia_smi() or "no answer"
        return Machine("", "", system, architecture, failure=failure, upgrade_pending=upgrade_pending)
    driver, _, gpu = gpus[0].partition(", ")
    return Machine(driver, gpu, system, architecture, upgrade_pending=upgrade_pending)


def driver_version() -> str:
    """Such as 570.148.08; empty when no driver answers."""
    return next(iter(nvidia_smi("driver_version") or []), "")


def ubuntu(os_release: Path = OS_RELEASE) -> str:
    """The release, such as 24.04; empty when the system does not say it."""
    try:
        done = subprocess.run(["lsb_release", "-rs"], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return done.stdout.strip()
    except OSError:
        pass
    return release_in(os_release)


def release_in(os_release: Path) -> str:
    """The release that a file like /etc/os-release names; empty when it names none."""
    text = os_release.read_text() if os_release.exists() else ""
    named = re.search(r'^VERSION_ID="?([0-9.]*)"?$', text, re.MULTILINE)
    return named[1] if named else ""
