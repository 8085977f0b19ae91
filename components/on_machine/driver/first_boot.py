"""The first contact with a machine: its clock against ours, and the end of its first boot."""

import subprocess

CLOCKS_MAY_DIFFER_S = 300
CLOUD_INIT_TIMEOUT_S = 600.0


def clock_ahead(at: float | None, now: float) -> str:
    """That the computer that runs pulumi had a later time than this machine has, in one line; else nothing.

    `at` is what it said a moment ago, in seconds since 1970. What is less than this machine's clock says may be a wait,
    so that only the other case is told.
    """
    ahead = round(at or 0) - int(now)
    if ahead <= CLOCKS_MAY_DIFFER_S:
        return ""
    told = f"{ahead // 3600} h {ahead % 3600 // 60:02d} min"
    return f"the clock of the computer that runs pulumi is {told} ahead of this machine's: set it"


def wait_for_first_boot(timeout_s: float = CLOUD_INIT_TIMEOUT_S) -> None:
    """Wait for cloud-init to end, which uses apt and mounts filesystems meanwhile. How it ends is not our matter."""
    command = ["cloud-init", "status", "--wait"]
    quiet = subprocess.DEVNULL
    try:
        subprocess.run(command, stdin=quiet, stdout=quiet, stderr=quiet, timeout=timeout_s, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return
