"""Reboots the machine for its driver, so that nobody takes the boot that ends for the new one."""

import subprocess

from components.on_machine.driver.decision import UPGRADE, Decision
from components.on_machine.driver.record import remember
from components.on_machine.shared.paths import Places
from components.on_machine.shared.root import as_root
from components.on_machine.shared.work import WorkError, say

SSH_UNITS = ("ssh.socket", "ssh.service")
SSH_AGAIN_S = 60
REBOOT_IN_S = 2
"""So that the connection that asked for it hears the answer."""


def reboot(places: Places, mode: str, decision: Decision) -> None:
    """Order the reboot, after which this boot is known as the old one. `WorkError`.

    Nobody may connect to the boot that ends: the SSH server stops first. Should the reboot not come, it starts again
    after a minute, so that the machine is not lost.
    """
    listening = [unit for unit in SSH_UNITS if _is_active(unit)]
    remember(places, mode, decision._replace(action=UPGRADE))
    say("as root: rebooting for the driver")
    if listening:
        _order("systemd-run", "--quiet", "--collect", f"--on-active={SSH_AGAIN_S}", "systemctl", "start", *listening)
        _order("systemctl", "stop", *listening)
    timer = (f"--on-active={REBOOT_IN_S}", "--timer-property=AccuracySec=100ms")
    _order("systemd-run", "--quiet", "--collect", *timer, "systemctl", "reboot")
    say("rebooting")


def _order(*words: str) -> None:
    if not as_root(*words):
        raise WorkError("the machine cannot be rebooted for its driver, see above", "no-reboot")


def _is_active(unit: str) -> bool:
    try:
        return subprocess.run(["systemctl", "is-active", "--quiet", unit], check=False).returncode == 0
    except OSError:
        return False
