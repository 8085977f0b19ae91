"""The wanted files of one commit of a model, in the hub's cache on this machine or on a filesystem.

huggingface_hub 2.4 resumes a file within one run only: it writes under a new name each time, and what a killed run
leaves behind is never looked at again. So the files that are whole are kept, and the rest of a file is thrown away.
"""

import json
import os
import shutil
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from components.on_machine.shared.files import replace_shared_file
from components.on_machine.shared.work import WorkError
from components.on_machine.weights.progress import amount

RESERVE_BYTES = 1024**3
"""What stays free on the disk beside the weights: logs, caches of compiled code."""
ABANDONED_S = 600.0
"""A part that nobody wrote to for so long belongs to no download; a silent hub is given up after 10 s."""


@dataclass(frozen=True)
class File:
    """A file as the hub names it."""

    path: str
    size: int
    digest: str
    """64 digits: SHA-256 of the content. 40: its name in Git, the SHA-1 of a header and the content."""


class Snapshot:
    """What is here of the files, and which of them were checked.

    `hub_home` is the folder that huggingface_hub calls HF_HOME, `planned_bytes` how much is to come by the plan,
    `excludes` are glob patterns of files that are not wanted.
    """

    def __init__(self, hub_home: Path, model: str, commit: str, planned_bytes: int, excludes: Sequence[str]) -> None:
        self.model, self.commit, self.planned_bytes, self.excludes = model, commit, planned_bytes, excludes
        self.cache = hub_home / "hub"
        name = f"models--{model.replace('/', '--')}"
        self.blobs = self.cache / name / "blobs"
        self.folder = self.cache / name / "snapshots" / commit
        # With the weights and not in the home: a filesystem outlives the machine that filled it.
        self.listing = hub_home / "lambda-vllm" / name / f"{commit}.files.json"
        self._checked_file = self.listing.with_name(f"{commit}.checked.json")
        self._checked = _read(self._checked_file)
        self._lock = threading.Lock()

    @property
    def files(self) -> list[File]:
        """Those that are wanted, by the hub's listing; none before there is one."""
        named = [File(path, *said) for path, said in _read(self.listing).items()]
        return [file for file in named if not any(fnmatch(file.path, each) for each in self.excludes)]

    @property
    def total_bytes(self) -> int:
        """Of the wanted files; what was planned before they were listed."""
        return sum(file.size for file in self.files) or self.planned_bytes

    def place(self, file: File) -> Path:
        """Where a program finds it: a link to the blob, or the file itself where there are no links."""
        return self.folder / file.path

    def bytes_here(self) -> int:
        """Of the wanted files, those that are under way included; before they were listed, of all that is here."""
        if files := self.files:
            here = [file for file in files if self.place(file).is_file() or (self.blobs / file.digest).is_file()]
            return sum(file.size for file in here) + sum(map(_written, self.blobs.glob("*.incomplete")))
        return sum(map(_written, self.blobs.glob("*")))

    def unchecked(self) -> list[File]:
        """Files that are missing, or were not checked as they are now."""
        return [file for file in self.files if self._checked.get(file.path, []) != _stamp(self.place(file))]

    def is_here(self) -> bool:
        """Whether nothing is left to do; asked of the disk alone."""
        return bool(self.files) and not self.unchecked()

    def remember(self, file: File) -> None:
        """Note that its content is right; threads may do so at once."""
        stamp = _stamp(self.place(file))
        assert stamp is not None
        with self._lock:
            self._checked[file.path] = stamp
            replace_shared_file(self._checked_file, json.dumps(self._checked))

    def throw_away(self, file: File) -> None:
        """Remove a file with wrong content, so that it is fetched anew."""
        place = self.place(file)
        place.resolve().unlink(missing_ok=True)
        place.unlink(missing_ok=True)

    def throw_away_parts(self, own_disk: Path) -> None:
        """Remove what killed runs left. On another filesystem than that of `own_disk` another machine may be filling
        it: there only what is old, by the filesystem's own clock, since this machine's may be another."""
        now = self._filesystem_time()
        for part in self.blobs.glob("*.incomplete"):
            # The other machine may be done with it at this moment.
            with suppress(FileNotFoundError):
                is_shared = part.stat().st_dev != own_disk.stat().st_dev
                if not is_shared or now - part.stat().st_mtime > ABANDONED_S:
                    part.unlink()

    def _filesystem_time(self) -> float:
        """What is written at this moment is dated so; 0 where nothing can be written."""
        with suppress(OSError), tempfile.NamedTemporaryFile(dir=self.blobs, prefix=".time-") as dated:
            return os.fstat(dated.fileno()).st_mtime
        return 0.0

    def check_disk(self) -> None:
        """Raise `WorkError` when what is still to come does not fit."""
        folder = self.blobs
        while not folder.exists():
            folder = folder.parent
        free = shutil.disk_usage(folder).free
        wanted = max(0, self.total_bytes - self.bytes_here())
        if wanted and free < wanted + RESERVE_BYTES:
            raise WorkError(
                f"{amount(free)} free on the disk of {folder}, the weights need {amount(wanted)} more and "
                f"{amount(RESERVE_BYTES)} to spare: choose an instance type with a larger disk, or a filesystem",
                "disk-too-small",
            )


def _read(file: Path) -> dict[str, Any]:
    """Pairs by path. A list that a crash of the machine damaged is thrown away, and made anew by whoever makes it."""
    try:
        said = json.loads(file.read_text())
    except FileNotFoundError:
        return {}
    except ValueError:
        said = None
    if isinstance(said, dict) and all(isinstance(pair, list) and len(pair) == 2 for pair in said.values()):
        return said
    file.unlink(missing_ok=True)
    return {}


def _written(part: Path) -> int:
    """Bytes of a file, perhaps under way. Xet makes it in its full length first, and fills it from several places."""
    try:
        said = part.stat()
    except FileNotFoundError:
        return 0
    return min(said.st_size, said.st_blocks * 512)


def _stamp(place: Path) -> list[int] | None:
    """What changes when a file is changed; None when there is none."""
    try:
        said = place.stat()
    except FileNotFoundError:
        return None
    return [said.st_size, said.st_mtime_ns]
