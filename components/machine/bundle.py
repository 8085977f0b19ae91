"""Programs for a machine as one archive, named by the hash of what is in it, and the hash of each of their folders.

What has to be done again on a machine follows from these: all of it goes up when anything changes, and a piece of work
is done again when its own folder or its pins change.
"""

import hashlib
import io
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath

HASH_LENGTH = 16


class Bundle:
    """Folders of Python packages below `root`, as they lie there; the packages around them are empty on the machine."""

    def __init__(self, root: Path, folders: Sequence[str]) -> None:
        self.root = root
        self._folders = folders
        self._written: tempfile.TemporaryDirectory[str] | None = None

    @cached_property
    def files(self) -> dict[str, bytes]:
        """Contents by path, in the order of the paths."""
        found = {str(path.relative_to(self.root)): path.read_bytes() for path in self._paths()}
        for folder in self._folders:
            for package in PurePosixPath(folder).parents:
                if package != PurePosixPath("."):
                    found[f"{package}/__init__.py"] = b""
        return dict(sorted(found.items()))

    @cached_property
    def hash(self) -> str:
        """Of all of it."""
        return self.folder_hash("")

    def folder_hash(self, *folders: str, more: Sequence[str] = ()) -> str:
        """Of what is below some folders, of which "" is all, and of words; short enough for the name of a file."""
        below = tuple(f"{folder}/" if folder else "" for folder in folders)
        digest = hashlib.sha256()
        for path, content in self.files.items():
            if path.startswith(below):
                digest.update(f"{path}\0{len(content)}\0".encode() + content)
        for word in more:
            digest.update(b"\0" + word.encode())
        return digest.hexdigest()[:HASH_LENGTH]

    @cached_property
    def archive(self) -> bytes:
        """A tar file, the same on every computer: what compresses differs from one to the next."""
        written = io.BytesIO()
        with tarfile.open(fileobj=written, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            for path, content in self.files.items():
                entry = tarfile.TarInfo(path)
                entry.size, entry.mode = len(content), 0o644
                archive.addfile(entry, io.BytesIO(content))
        return written.getvalue()

    def write(self) -> Path:
        """The archive as a file of this computer, one for all machines: the engine reads it until this process ends."""
        if self._written is None:
            self._written = tempfile.TemporaryDirectory(prefix="lambda-vllm-")
            (Path(self._written.name) / self._name).write_bytes(self.archive)
        return Path(self._written.name) / self._name

    def remove_written(self) -> None:
        """Take that file away, for a process that ends without taking itself apart."""
        if self._written is not None:
            self._written.cleanup()
            self._written = None

    @property
    def _name(self) -> str:
        return f"{self.hash}.tar"

    def _paths(self) -> Iterator[Path]:
        for folder in self._folders:
            for path in sorted((self.root / folder).rglob("*")):
                if path.is_file() and "__pycache__" not in path.parts:
                    yield path
