"""Installs the driver that Lambda's own repository has for this Ubuntu. The running kernel goes on with the old one."""

import re
import subprocess
import time
from collections.abc import Callable

from components.on_machine.driver.machine import ubuntu
from components.on_machine.shared.apt import apt_as_root
from components.on_machine.shared.paths import Places
from components.on_machine.shared.root import as_root
from components.on_machine.shared.work import WorkError, say
from components.vllm.release.driver.cuda import CUDA13_DRIVER

PACKAGE = f"nvidia-driver-{CUDA13_DRIVER}-server-open"


def upgrade(places: Places, sleep: Callable[[float], None] = time.sleep) -> None:
    """Install it. `WorkError`."""
    # An upgrade under a running kernel leaves library and kernel module of two versions.
    say("as root: stopping apt-daily and unattended-upgrades for good, which would change the driver behind our back")
    units = ("apt-daily.timer", "apt-daily-upgrade.timer", "unattended-upgrades.service")
    as_root("systemctl", "disable", "--now", *units)
    as_root("systemctl", "stop", "apt-daily.service", "apt-daily-upgrade.service")
    if not apt_as_root(places, "update", sleep=sleep):
        raise WorkError(
            "apt-get update fails, see above: run `pulumi up` again, or set `driver: compat`", "apt-update-failed"
        )
    version = newest_of_lambda(madison(PACKAGE), ubuntu())
    if version is None:
        raise WorkError(
            f"apt knows no {PACKAGE} of Lambda's for this machine: use imageFamily lambda-stack-24-04, or set "
            "`driver: compat`",
            "no-driver-package",
        )
    say(f"as root: apt-get install {PACKAGE}={version}")
    if not apt_as_root(places, "install", "-y", f"{PACKAGE}={version}", sleep=sleep):
        raise WorkError(
            f"{PACKAGE}={version} cannot be installed, see above: run `pulumi up` again, or set `driver: compat`",
            "driver-not-installed",
        )


def madison(package: str) -> str:
    """The versions of a package that apt knows, a line each: name, version and source, between bars."""
    try:
        said = subprocess.run(["apt-cache", "madison", package], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return said.stdout


def newest_of_lambda(versions: str, system: str) -> str | None:
    """The newest version of Lambda's own for an Ubuntu such as 24.04; None without one."""
    wanted = re.compile(rf"{CUDA13_DRIVER}\..*-0lambda0\.{re.escape(system)}")
    found = [fields[1].strip() for line in versions.splitlines() if len(fields := line.split("|")) > 1]
    return max((version for version in found if wanted.match(version)), key=_order, default=None)


def _order(version: str) -> list[int]:
    """What makes 580.105.08 newer than 580.95.05."""
    return [int(number) for number in re.findall(r"\d+", version)]
