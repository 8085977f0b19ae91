"""A model repository at one commit, laid out on disk."""

import shutil
import tempfile
from dataclasses import dataclass
from hashlib import sha1, sha256
from pathlib import Path
from typing import Any

from localcloud.hub.announced import AnnouncedFile
from localcloud.hub.catalog import ModelSpec
from localcloud.hub.model_files import LFS_SUFFIXES, make_model_files

BRANCH = "main"


@dataclass(frozen=True)
class RepositoryFile:
    """A file and its names in Git."""

    path: str
    size: int
    oid: str
    """SHA-1 of the Git blob: of the file itself, or of the pointer that stands for it when it is in Git LFS."""
    sha256: str | None
    """Of the content, in Git LFS only; of the beginning alone where the rest is only announced."""
    pointer_size: int | None
    """Bytes of the pointer, in Git LFS only."""

    @property
    def etag(self) -> str:
        """What clients name the file by in their caches."""
        return self.sha256 or self.oid


@dataclass(frozen=True)
class Repository:
    """A repository as one commit has it."""

    model: ModelSpec
    folder: Path
    """Where the files are."""
    files: dict[str, RepositoryFile]
    """By path, in order."""
    commit: str
    """40 hexadecimal digits that follow from the content alone."""
    parameters_by_type: dict[str, int]
    """As safetensors names the types."""
    config: dict[str, Any]

    @property
    def parameters(self) -> int:
        """All numbers in the weights."""
        return sum(self.parameters_by_type.values())


def make_repository(model: ModelSpec, root: Path) -> Repository:
    """Write the repository of `model` under `root` and describe it.

    Whatever lies there from an earlier run is replaced at once by the whole new folder, so that a run that was cut
    short leaves no half-written file to be served.

    Raises:
        OSError: the disk is full or not writable.
    """
    made = make_model_files(model)
    folder = root / model.name.replace("/", "--")
    _replace_folder(folder, made.contents)
    files = {path: describe(path, content) for path, content in sorted(made.contents.items())}
    return Repository(model, folder, files, tree_oid(files), made.parameters, made.config)


def tree_oid(files: dict[str, RepositoryFile]) -> str:
    """A name for a folder that follows from the names and contents below it."""
    listing = "".join(f"{path} {file.oid}\n" for path, file in sorted(files.items()))
    return sha1(listing.encode(), usedforsecurity=False).hexdigest()


def describe(path: str, content: bytes | AnnouncedFile) -> RepositoryFile:
    """The names of a file that is to be part of a commit."""
    start, size = (content.start, content.size) if isinstance(content, AnnouncedFile) else (content, len(content))
    if not path.endswith(LFS_SUFFIXES):
        return RepositoryFile(path, size, _blob_oid(start), None, None)
    digest = sha256(start).hexdigest()
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {size}\n".encode()
    return RepositoryFile(path, size, _blob_oid(pointer), digest, len(pointer))


def _blob_oid(content: bytes) -> str:
    return sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _replace_folder(folder: Path, contents: dict[str, bytes | AnnouncedFile]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".making-", dir=folder.parent) as scratch:
        new, old = Path(scratch, "new"), Path(scratch, "old")
        for path, content in contents.items():
            (new / path).parent.mkdir(parents=True, exist_ok=True)
            _write(new / path, content)
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
        shutil.rmtree(old, ignore_errors=True)


def _write(path: Path, content: bytes | AnnouncedFile) -> None:
    with path.open("wb") as file:
        file.write(content if isinstance(content, bytes) else content.start)
        if isinstance(content, AnnouncedFile):
            # A hole: it reads as zeros and takes no room.
            file.truncate(content.size)
