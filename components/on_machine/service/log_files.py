"""The server's log: a new file for each start, and never more than a few of a bounded size."""

import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

MOST_BYTES = 20_000_000
MOST_FILES = 6
"""120 MB in all, where nothing else is wanted. Without requests being logged, a start writes about 50 KB."""


class LogFiles:
    """`vllm.log`, and `vllm.log.1`, `.2`… the older the higher.

    `wanted` is a file with the megabytes that all of them may take. It is read anew while the server runs.
    """

    def __init__(
        self,
        path: Path,
        most_bytes: int = MOST_BYTES,
        most_files: int = MOST_FILES,
        wanted: Path | None = None,
    ) -> None:
        self.path = path
        self._most_bytes = most_bytes
        self._most_files = most_files
        self._wanted = wanted
        self._read_at: int | None = None
        self._stream: BinaryIO | None = None
        self._written = 0

    def begin(self) -> None:
        """A new file. On a disk that lets none be made, what comes is dropped: the server matters more."""
        self._read_wanted()
        self._begin()

    def _begin(self) -> None:
        if self._stream:
            self._stream.close()
            self._stream = None
        with suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            for number in range(self._most_files - 2, -1, -1):
                file = self._numbered(number)
                if file.exists():
                    file.replace(self._numbered(number + 1))
            self._make_room()
            self._stream = self.path.open("wb", buffering=0)
        self._written = 0

    def write(self, data: bytes) -> None:
        """What cannot be written, as on a full disk, is dropped."""
        self._read_wanted()
        if self._written + len(data) > self._most_bytes:
            self._begin()
        self._written += len(data)
        if self._stream:
            with suppress(OSError):
                self._stream.write(data)

    def end_with(self, data: bytes) -> None:
        """The last line of the present file, however full that is."""
        if self._stream:
            with suppress(OSError):
                self._stream.write(data)

    def keep(self) -> Path:
        """A second name for the present file, which the next starts do not move: the log of a failed start."""
        kept = self.path.with_name("failed.log")
        with suppress(OSError):
            new = self.path.with_name(".failed.log.new")
            new.unlink(missing_ok=True)
            os.link(self.path, new)
            new.replace(kept)
            return kept
        return self.path

    def _read_wanted(self) -> None:
        """Take the bound that is wanted now; older files that it leaves no room for go at once."""
        with suppress(OSError, ValueError):
            if self._wanted is None or (at := self._wanted.stat().st_mtime_ns) == self._read_at:
                return
            self._read_at = at
            self._most_bytes = int(self._wanted.read_text()) * 1_000_000 // self._most_files
            self._make_room()

    def _make_room(self) -> None:
        """For the file that is written to; those of before may be larger than files are now."""
        room = self._most_bytes * (self._most_files - 1)
        for number in range(1, self._most_files):
            file = self._numbered(number)
            if file.exists():
                room -= file.stat().st_size
                if room < 0:
                    file.unlink()

    def _numbered(self, number: int) -> Path:
        return self.path if number == 0 else self.path.with_name(f"{self.path.name}.{number}")
