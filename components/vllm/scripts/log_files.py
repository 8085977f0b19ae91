"""The server's log: a new file for each start, and never more than a few of a bounded size.

Runs with the machine's own Python 3.10 or newer.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

MOST_BYTES = 20_000_000
MOST_FILES = 6
"""120 MB in all. Without requests being logged, a start writes about 50 KB."""


class LogFiles:
    """`vllm.log`, and `vllm.log.1`, `.2`… the older the higher."""

    def __init__(self, folder: Path, most_bytes: int = MOST_BYTES, most_files: int = MOST_FILES) -> None:
        self.path = folder / "vllm.log"
        self._most_bytes = most_bytes
        self._most_files = most_files
        self._stream: BinaryIO | None = None
        self._written = 0

    def begin(self) -> None:
        """A new file. On a disk that lets none be made, what comes is dropped: the server matters more."""
        if self._stream:
            self._stream.close()
            self._stream = None
        with suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            for number in range(self._most_files - 2, -1, -1):
                file = self._numbered(number)
                if file.exists():
                    file.replace(self._numbered(number + 1))
            self._stream = self.path.open("wb", buffering=0)
        self._written = 0

    def write(self, data: bytes) -> None:
        """What cannot be written, as on a full disk, is dropped."""
        if self._written + len(data) > self._most_bytes:
            self.begin()
        self._written += len(data)
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

    def _numbered(self, number: int) -> Path:
        return self.path if number == 0 else self.path.with_name(f"{self.path.name}.{number}")
