"""Where this computer keeps what the programs of one Lambda account have to know of each other.

Nothing here is needed to find a machine again: it keeps several programs of one user within the account's limits, and
lets the next run know of a launch that a killed one had under way.
"""

import errno
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
    try:
        return _made(api_key, url)
    except OSError:
        return None


def why_no_notes(api_key: str, url: str) -> str | None:
    """One line when there is no folder: why, and what is lost by it."""
    try:
        _made(api_key, url)
    except OSError as error:
        return (
            f"no notes can be kept in {error.filename or _state_home()} ({error.strerror}): the run after one that was "
            f"killed needs a `pulumi refresh`, two at a time may exceed Lambda's rate limit; {STATE_VARIABLE} names "
            "another folder"
        )
    return None


def _made(api_key: str, url: str) -> Path:
    account = hashlib.sha256(f"{url} {api_key}".encode()).hexdigest()[:16]
    folder = _state_home() / "lambda-vllm" / account
    if not folder.is_absolute():
        # Of a user without a home there is only the tilde.
        raise FileNotFoundError(errno.ENOENT, "no home folder", str(_state_home()))
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not os.access(folder, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
    return folder


def _state_home() -> Path:
    """As the XDG specification has it: a name that is not absolute counts for nothing."""
    named = os.environ.get(STATE_VARIABLE, "")
    return Path(named if os.path.isabs(named) else os.path.expanduser("~/.local/state"))  # noqa: PTH111, PTH117


def boot_id() -> str:
    """Differs after a reboot, when `time.monotonic` begins anew; empty where the system does not tell."""
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return ""
