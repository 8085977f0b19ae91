"""One job on the machine's disk: whether it runs, its progress, its log, and its result.

jobs/NAME-KEY/lock          held by the runner of the job and by nobody else, so it is the job's state, also after a
                            crash or a reboot
jobs/NAME-KEY/progress      lines for the user
jobs/NAME-KEY/log, log.1    of this attempt, and of the one before
jobs/NAME-KEY/result.json   what came of it; missing while it runs and when it was killed
jobs/NAME.last              the key of the job of that name which was begun last
jobs.jsonl                  every end of work, a line each
"""

import json
import os
import shutil
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from components.on_machine.shared.files import replace_file
from components.on_machine.shared.locks import is_locked, try_lock
from components.on_machine.shared.paths import Places

SUCCEEDED, FAILED, INTERRUPTED = "succeeded", "failed", "interrupted"
KEPT = 10
"""Jobs of one name of which more is left than nothing."""
ABOUT_TO_BEGIN_S = 3600
"""What was asked for within the hour may be about to take its lock."""


@dataclass(frozen=True)
class JobError:
    """Why a job failed."""

    code: str
    """Names the cause for programs, such as `disk-full`."""
    message: str
    """One line that says what to do."""
    log: str
    """Path of the whole log on the machine."""


@dataclass(frozen=True)
class Result:
    """What came of a job."""

    job: str
    key: str
    status: str
    """`succeeded`, `failed`, or `interrupted`: then the work was killed before it could say anything."""
    seconds: int
    error: JobError | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    """What the work found, by the words of that work."""

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> "Result":
        """The same again."""
        said = json.loads(text)
        error = said.pop("error")
        return Result(**said, error=JobError(**error) if error else None)


class Job:
    """A job of a name, with a key that is the hash of what the work is."""

    def __init__(self, places: Places, name: str, key: str) -> None:
        self.places = places
        self.name = name
        self.key = key
        self.folder = places.jobs / f"{name}-{key}"
        self.progress = self.folder / "progress"
        self.log = self.folder / "log"
        self.lock = self.folder / "lock"
        self.door = self.folder / "door"
        self.turn = places.jobs / f"{name}.turn"
        self._last = places.jobs / f"{name}.last"
        self._result = self.folder / "result.json"

    def is_running(self) -> bool:
        return is_locked(self.lock)

    def is_last(self) -> bool:
        """Whether no other work of this name was begun after it, which may have undone it."""
        return self._last.exists() and self._last.read_text() == self.key

    @property
    def result(self) -> Result | None:
        """None while it runs, and when it was killed."""
        with suppress(OSError, ValueError, TypeError):
            return Result.from_json(self._result.read_text())
        return None

    def make_ready(self) -> None:
        """For another attempt, with a log of its own: its failure is not explained with an earlier one's."""
        self._result.unlink(missing_ok=True)
        self.progress.write_text("")
        if self.log.exists():
            self.log.replace(self.folder / "log.1")

    def begins(self) -> None:
        """Its turn has come."""
        replace_file(self._last, self.key)

    def ends(self, result: Result) -> None:
        """Write down what came of it. A full disk is no reason to lose that for a line of history."""
        with suppress(OSError):
            self._remember(result)
        replace_file(self._result, result.to_json())

    def _remember(self, result: Result) -> None:
        history = self.places.base / "jobs.jsonl"
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        line = {"at": at, "job": result.job, "key": result.key, "seconds": result.seconds, "status": result.status}
        with history.open("a") as stream:
            stream.write(json.dumps(line) + "\n")
        lines = history.read_text().splitlines(keepends=True)
        if len(lines) > 2000:
            replace_file(history, "".join(lines[-1000:]))


def forget_old(places: Places, name: str, now: float) -> None:
    """Remove jobs of a name long past, but those under way; `now` is in seconds since 1970."""
    # The name may have a dash, and is followed by one and the key.
    folders = [one for one in places.jobs.glob(f"{name}-*") if one.is_dir() and "-" not in one.name[len(name) + 1 :]]
    old = []
    for folder in folders:
        with suppress(OSError):
            touched = folder.stat().st_mtime
            if now - touched > ABOUT_TO_BEGIN_S:
                old.append((touched, folder))
    for _, folder in sorted(old, reverse=True)[KEPT:]:
        if (lock := try_lock(folder / "lock")) is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)
