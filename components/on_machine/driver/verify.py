"""The look after the reboot, over a new connection: whether the driver is what it has to be."""

from components.on_machine.driver.decision import COMPAT, CPU, KEEP, REBOOT, UPGRADE
from components.on_machine.driver.machine import driver_version
from components.on_machine.driver.reboot import reboot
from components.on_machine.driver.record import decide_here, remember
from components.on_machine.shared.caches import cache_root
from components.on_machine.shared.paths import Places
from components.on_machine.shared.work import WorkError, say


def verify(places: Places, mode: str, install: str, version: str) -> None:
    """Prove that the driver is what it has to be. `WorkError`."""
    # A filesystem that the reboot did not bring back is told before anything is kept in its place.
    cache_root(places)
    decision = decide_here(places, mode, install, version)
    if decision.action in (KEEP, COMPAT, CPU):
        remember(places, mode, decision)
        say(f"driver: {decision.reason}")
    elif decision.action == REBOOT:
        # `pulumi up` does not repeat the step before, which ended well.
        reboot(places, mode, decision)
        raise WorkError(
            "the machine had not rebooted for its driver, and does so now: run `pulumi up` again", "rebooting"
        )
    elif decision.action == UPGRADE:
        raise WorkError(
            f"driver {driver_version()} after the upgrade: see /var/log/apt/term.log on the machine, or set "
            "`driver: compat`",
            "driver-not-upgraded",
        )
    else:
        raise WorkError(decision.reason, "driver-refused")
