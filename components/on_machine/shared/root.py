"""Commands as root, by name: where there is no other way."""

import subprocess
import sys
from typing import IO, Any


def as_root(*words: str, log: "IO[Any] | None" = None) -> bool:
    """Run a command as root; whether it succeeded. What it says goes to `log`, by default to standard error.

    It has a session of its own, so that a connection that is cut does not stop it halfway.
    """
    output = sys.stderr if log is None else log
    try:
        begun = subprocess.Popen(
            ["sudo", *words], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    except OSError as error:
        print(f"sudo: {error.strerror}", file=sys.stderr, flush=True)
        return False
    # `subprocess.run` would kill it with this process.
    return begun.wait() == 0
