"""What this computer remembers of launches, for the run after one that was killed.

The account shows a new machine only after some seconds, and a launch takes seconds until it is carried out. A run that
comes right after a killed one would see nothing and launch again. So each launch is noted before it is sent, in a file
under a lock that its sender holds until the answer is there; the next run waits for both.

Without the file, as on another computer, nothing is lost: the machine carries the launch token, and is found by that
when it shows. Moments are of the monotonic clock, which is one for all processes and which no change of the date moves.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from components.dynamic.clock import SYSTEM_CLOCK, Clock, Patience, wait_until
from components.lambda_cloud.api.account_folder import boot_id
from components.lambda_cloud.api.errors import CloudError

LOOK_AGAIN_S = 0.2


class LaunchUnderWayError(CloudError):
    """Another process launches for the same token and does not come to an end."""


@dataclass(frozen=True)
class Note:
    """The last launch with a token, `age` seconds ago. `is_settled`: no machine can come of it any more unseen."""

    age: float
    is_settled: bool


class LaunchJournal:
    """Notes of launches, one file a token. Where there is no folder to write to, this process alone knows them."""

    def __init__(self, folder: Path | None, clock: Clock = SYSTEM_CLOCK) -> None:
        self._folder = folder
        self._clock = clock
        self._own: dict[str, dict[str, Any]] = {}

    @contextmanager
    def alone(self, token: str, timeout: float) -> Iterator[None]:
        """Be the only process that launches with the token; one that does so already is waited for."""
        file = self._open(token)
        if file is None:
            yield
            return
        with file:
            patience = Patience(self._clock, timeout)
            if not wait_until(lambda: _locked(file) or None, patience, lambda: self._clock.sleep(LOOK_AGAIN_S)):
                raise LaunchUnderWayError(
                    "another Pulumi process is launching for this stack and does not come to an end: end it "
                    f"(it has {self._path(token)} open), then run `pulumi up` again"
                )
            yield

    def note_sent(self, token: str) -> None:
        """A launch is about to be sent: from now on a machine may come of it."""
        self._write(token, {"boot": boot_id(), "sent": self._clock.monotonic(), "settled": False})

    def note_settled(self, token: str) -> None:
        """Its outcome is known: refused, or the machine it made has ended."""
        self._write(token, {"boot": boot_id(), "sent": self._clock.monotonic(), "settled": True})

    def last(self, token: str) -> Note | None:
        """The last launch with the token; None when this computer knows of none since it was started."""
        try:
            record = json.loads(self._path(token).read_text())
        except (OSError, ValueError):
            record = self._own.get(token)
        try:
            if record["boot"] != boot_id():
                return None
            return Note(max(0.0, self._clock.monotonic() - float(record["sent"])), bool(record["settled"]))
        except (ValueError, KeyError, TypeError):
            return None

    def forget(self, token: str) -> None:
        """The token is no more."""
        self._own.pop(token, None)
        with suppress(OSError):
            self._path(token).unlink()

    def _path(self, token: str) -> Path:
        if self._folder is None:
            raise FileNotFoundError("there is no folder for notes")
        return self._folder / f"{token}.json"

    def _open(self, token: str) -> IO[str] | None:
        if self._folder is None:
            return None
        try:
            self._folder.mkdir(exist_ok=True, mode=0o700)
            return os.fdopen(os.open(self._path(token), os.O_RDWR | os.O_CREAT, 0o600), "r+")
        except OSError:
            return None

    def _write(self, token: str, record: dict[str, Any]) -> None:
        self._own[token] = record
        file = self._open(token)
        if file is not None:
            # On a full disk this process alone knows it.
            with suppress(OSError), file:
                # Shorter texts are padded, so that one write replaces the whole: there is no half a note.
                file.write(json.dumps(record).ljust(200))


def _locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
