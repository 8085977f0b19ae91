"""Where this computer keeps what the programs of one Lambda account have to know of each other.

Nothing here is needed to find a machine again: it keeps several programs of one user within the account's limits, and
lets the next run know of a launch that a killed one had under way.
"""

import hashlib
import os
from pathlib import Path

DEFAULT_URL = "https://cloud.lambda.ai"
STATE_VARIABLE = "XDG_STATE_HOME"
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def account_folder(api_key: str, url: str) -> Path | None:
    """The folder (0700) of one account; None where nothing can be written, as in a container without a home.

    Its name is a hash, so that no key is on the disk.
    """
    account = hashlib.sha256(f"{url} {api_key}".encode()).hexdigest()[:16]
    home = os.environ.get(STATE_VARIABLE) or os.path.expanduser("~/.local/state")  # noqa: PTH111 - may have no home
    folder = Path(home) / "lambda-vllm" / account
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None


def boot_id() -> str:
    """Differs after a reboot, when `time.monotonic` begins anew; empty where the system does not tell."""
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return ""
