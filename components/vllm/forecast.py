"""How long it takes until the first token, and what has been paid by then. Guesses, all of them in this file.

They are meant to be right within a factor of two, so that nobody waits for twenty minutes where an hour was to be
expected; `timeline` has what it really took.
"""

from collections.abc import Mapping
from dataclasses import dataclass

BOOT_MINUTES = 4.0
"""From the launch to `active`: 2 to 4 minutes in what was seen of Lambda's GH200, 15 on a bad day."""

INSTALL_MINUTES: Mapping[str, float] = {"wheel": 4.0, "precompiled": 6.0, "source": 35.0}
"""Cold. vLLM's documentation has 25 minutes for an older tree on a GH200; the wheels are 4 GB."""

DRIVER_UPGRADE_MINUTES = 6.0
"""Packages and a reboot, seen once on a GH200."""

DOWNLOAD_BYTES_PER_SECOND = 150e6
"""From the hub to a machine in a data centre."""

START_MINUTES = 1.5
"""Imports, compilation and graphs, cold: 73 to 124 s for 8B to 70B on an H200."""

LOAD_GIB_PER_SECOND = 1.0
"""Weights from the disk to the GPU, the first time."""

PIN_SECONDS_PER_GIB = 1.4
"""What offloaded weights take besides: 52 GiB were pinned in 65 to 75 s."""


@dataclass(frozen=True)
class Forecast:
    """Until the first token."""

    minutes: float
    dollars: float
    """From when the machine is active, since that is when Lambda begins to bill."""


def forecast(
    dollars_per_hour: float,
    download_bytes: int,
    weights_gib: float,
    cpu_offload_gib: float = 0,
    install: str = "wheel",
    upgrades_driver: bool = False,
) -> Forecast:
    """What to expect of a new machine with empty caches; the download runs beside the install."""
    before = DRIVER_UPGRADE_MINUTES if upgrades_driver else 0.0
    download = download_bytes / DOWNLOAD_BYTES_PER_SECOND / 60
    load = (weights_gib / LOAD_GIB_PER_SECOND + cpu_offload_gib * PIN_SECONDS_PER_GIB) / 60
    billed = before + max(INSTALL_MINUTES[install], download) + START_MINUTES + load
    return Forecast(minutes=BOOT_MINUTES + billed, dollars=billed / 60 * dollars_per_hour)
