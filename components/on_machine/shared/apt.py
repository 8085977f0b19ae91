"""apt-get as root, on a fresh machine where others use it too."""

import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

from components.on_machine.shared.paths import Places
from components.on_machine.shared.root import as_root
from components.on_machine.shared.work import say

LOCK_PATIENCE_S = 600
LOCK_PAUSE_S = 10
MOST_FAILURES = 2
FAILURE_PAUSE_S = 10
"""After the first failure; longer by this after each."""
LOCKED = "Could not get lock"
INTERRUPTED = "dpkg was interrupted"
TRANSIENT = re.compile(
    rf"{INTERRUPTED}|Temporary failure|Failed to fetch|Could not connect|timed out|Hash Sum mismatch"
)
# There is nobody to ask.
NO_QUESTIONS = "DEBIAN_FRONTEND=noninteractive"
# Files of a configuration that somebody has changed stay.
KEEP_CHANGED = ("--force-confdef", "--force-confold")
APT_GET = (
    NO_QUESTIONS,
    # No service is restarted behind anybody's back.
    "NEEDRESTART_SUSPEND=1",
    "apt-get",
    "-qq",
    "-o",
    f"DPkg::Lock::Timeout={LOCK_PATIENCE_S}",
    *(word for option in KEEP_CHANGED for word in ("-o", f"Dpkg::Options::={option}")),
)
PASSED = "retried: "
"""Before the lines of a failure that was tried again: whoever looks for a cause leaves them out."""


def apt_as_root(places: Places, *words: str, sleep: Callable[[float], None] = time.sleep) -> bool:
    """Run `apt-get WORD…` as root, with patience for others' locks and for what passes; whether it succeeded.

    Its words go to the log. They go to a file first, so that a connection that is cut does not stop dpkg halfway.
    """
    waited = failures = 0
    file = places.base / f"apt-{os.getpid()}.log"
    while True:
        succeeded, said = _apt_get(file, words)
        if succeeded:
            _show(said)
            return True
        if LOCKED in said and waited < LOCK_PATIENCE_S:
            # apt waits for dpkg's lock by itself, but not for that of its lists.
            pause = LOCK_PAUSE_S
            waited += pause
            say(f"another program holds apt's lock, as on a fresh machine: waiting, {waited} s")
        elif TRANSIENT.search(said) and failures < MOST_FAILURES:
            failures += 1
            pause = failures * FAILURE_PAUSE_S
            if INTERRUPTED in said:
                # By the end of the machine for example. It has to be completed first.
                as_root(NO_QUESTIONS, "dpkg", *KEEP_CHANGED, "--configure", "-a")
            say(f"apt-get {words[0]} failed, trying again in {pause} s")
        else:
            _show(said)
            return False
        _show("".join(PASSED + line for line in said.splitlines(keepends=True)))
        sleep(pause)


def _apt_get(file: Path, words: tuple[str, ...]) -> tuple[bool, str]:
    """Whether it succeeded, and what it said."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as log:
        succeeded = as_root(*APT_GET, *words, log=log)
    said = file.read_text(errors="replace")
    file.unlink()
    return succeeded, said


def _show(text: str) -> None:
    sys.stderr.write(text if text.endswith("\n") or not text else f"{text}\n")
    sys.stderr.flush()
