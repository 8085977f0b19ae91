"""The step before everything else: `prepare MODE INSTALL VLLM_VERSION`. It upgrades and reboots where MODE says so.

Its input is JSON: `at`, what the clock of the computer that runs pulumi said a moment ago, in seconds since 1970, or
null; and `cache`, the folder that outlives the machine, which is empty for the machine's own disk. Root is used for
apt, for the reboot and for nothing else.
"""

import sys
import time
from collections.abc import Mapping
from typing import Any

from components.on_machine.driver.decision import REBOOT, REFUSE, UPGRADE
from components.on_machine.driver.first_boot import clock_ahead, wait_for_first_boot
from components.on_machine.driver.reboot import reboot
from components.on_machine.driver.record import decide_here, remember
from components.on_machine.driver.upgrade import upgrade
from components.on_machine.shared.caches import cache_root
from components.on_machine.shared.files import replace_file
from components.on_machine.shared.paths import Places, places
from components.on_machine.shared.secret_input import read_json
from components.on_machine.shared.work import WorkError, run_work, say
from components.vllm.release.install.versions import version_on_gpu


def prepare(places: Places, mode: str, install: str, version: str) -> None:
    """Bring the driver to where vLLM can use it, but for the libraries, which the install brings. `WorkError`."""
    decision = decide_here(places, mode, install, version)
    if decision.action == REFUSE:
        raise WorkError(decision.reason, "driver-refused")
    say(f"driver: {decision.reason}")
    if decision.action == UPGRADE:
        places.cuda_environment.unlink(missing_ok=True)
        upgrade(places)
    if decision.action in (UPGRADE, REBOOT):
        reboot(places, mode, decision)
    else:
        remember(places, mode, decision)


def make_folders(places: Places) -> None:
    """The folders that later commands write to."""
    places.jobs.mkdir(parents=True, exist_ok=True)
    places.settings.mkdir(parents=True, exist_ok=True)
    places.settings.chmod(0o700)


def write_cache(places: Places, folder: str) -> None:
    """Keep where caches are; without a folder they are on the machine's own disk."""
    if folder:
        replace_file(places.cache, folder)
    else:
        places.cache.unlink(missing_ok=True)


def main(words: list[str], told: Mapping[str, Any]) -> None:
    """Do all of it with the words of the command line and what the input told."""
    here = places()
    if warning := clock_ahead(told["at"], time.time()):
        say(warning)
    wait_for_first_boot()
    make_folders(here)
    write_cache(here, told["cache"])
    # One that is not there is told before the driver is touched.
    cache_root(here)
    mode, install, wanted = words
    prepare(here, mode, install, version_on_gpu(wanted))


if __name__ == "__main__":
    run_work(lambda: main(sys.argv[1:], read_json(sys.stdin.buffer)))
