"""Time on this machine."""

import time
from pathlib import Path


def now() -> float:
    """Seconds since the machine booted: no setting of the clock changes them, and all its processes agree on them."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def boot_id() -> str:
    """Names the time from one boot of the machine to the next."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
