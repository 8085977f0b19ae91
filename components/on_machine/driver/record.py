"""The decision about this machine's driver, and what is written down of it."""

from components.on_machine.driver.decision import UPGRADE, Decision, decide
from components.on_machine.driver.machine import driver_version, read_machine
from components.on_machine.shared import manifest
from components.on_machine.shared.clock import boot_id
from components.on_machine.shared.paths import Places

SECTION = "driver"


def decide_here(places: Places, mode: str, install: str, vllm_version: str) -> Decision:
    """What the configuration and this machine come to. `WorkError`."""
    pending = upgrade_pending(manifest.read(places.manifest), boot_id())
    return decide(mode, read_machine(pending), install, vllm_version)


def upgrade_pending(written: manifest.Manifest, boot: str) -> bool:
    """True when a driver of ours was installed in this boot of the machine, and waits for the next one."""
    section = written.get(SECTION, {})
    return section.get("key") == UPGRADE and section.get("boot_id") == boot


def remember(places: Places, mode: str, decision: Decision) -> None:
    """Write down what was decided in this boot, and with which driver."""
    facts = {"mode": mode, "reason": decision.reason, "boot_id": boot_id(), "driver": driver_version()}
    manifest.record(places.manifest, SECTION, decision.action, facts)
