"""Notes in the folder of an account: that something has begun, for the run after one that was killed."""

import os
from contextlib import suppress
from pathlib import Path

from components.dynamic.clock import SYSTEM_CLOCK, Clock

KEPT_S = 90 * 24 * 3600.0
"""Notes are small; those older than a state that was left in the middle of something may be are taken away."""


class Notes:
    """One empty file for each name. `folder` None keeps none."""

    def __init__(self, folder: Path | None, clock: Clock = SYSTEM_CLOCK) -> None:
        self._folder = folder
        self._clock = clock

    def add(self, name: str) -> None:
        """It begins."""
        if self._folder is None:
            return
        with suppress(OSError):
            self._folder.mkdir(exist_ok=True, mode=0o700)
            now = self._clock.now()
            for note in self._folder.iterdir():
                if now - note.stat().st_mtime > KEPT_S:
                    note.unlink(missing_ok=True)
            (self._folder / name).touch(mode=0o600)
            os.utime(self._folder / name, (now, now))

    def drop(self, name: str) -> None:
        """It is over, or has not happened after all."""
        if self.has(name) and self._folder:
            (self._folder / name).unlink(missing_ok=True)

    def has(self, name: str) -> bool:
        """Whether it has begun on this computer."""
        return self._folder is not None and (self._folder / name).exists()
