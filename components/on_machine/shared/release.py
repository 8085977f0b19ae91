"""The release of these programs that is in use: `release.py HASH` switches to it and removes those that nobody uses.

A release is never changed, so that what runs goes on with what it began with, whatever comes meanwhile. Whoever runs
for long holds the lock of its release's folder.
"""

import fcntl
import os
import shutil
import sys
from pathlib import Path

from components.on_machine.shared.files import replace_link
from components.on_machine.shared.locks import is_locked
from components.on_machine.shared.paths import RELEASE, RELEASES, ROOT, places

_held: list[int] = []


def hold(root: Path = ROOT) -> None:
    """Keep the release that this process runs from, until it ends."""
    descriptor = os.open(root, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    _held.append(descriptor)


def switch(home: Path, name: str) -> None:
    """Begin everything from the release `name` from now on; the others go, but those that somebody runs from."""
    releases = home / RELEASES
    replace_link(home / RELEASE, Path(releases.name, name))
    for folder in releases.iterdir():
        if folder.name != name and not is_locked(folder, by_sharers_too=True):
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    switch(places().home, sys.argv[1])
