"""A model repository at its one commit, laid out on disk."""

import shutil
import tempfile
from dataclasses import dataclass
from hashlib import sha1, sha256
from pathlib import Path
from typing import Any

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
    """Of the content, in Git LFS only."""
    pointer_size: int | None
    """Bytes of the pointer, in Git LFS only."""

    @property
    def etag(self) -> str:
        """What clients name the file by in their caches."""
        return self.sha256 or self.oid


@dataclass(frozen=True)
class Repository:
    """A repository with one branch and one commit."""

    model: ModelSpec
    folder: Path
    """Where the files are."""
    files: dict[str, RepositoryFile]
    """By path, in order."""
    commit: str
    """40 hexadecimal digits that follow from the content alone."""
    parameters: int
    config: dict[str, Any]

    def has_revision(self, revision: str) -> bool:
        """Whether `revision` is the branch or its commit."""
        return revision in (BRANCH, self.commit)


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
    files = {path: _describe(path, content) for path, content in sorted(made.contents.items())}
    return Repository(model, folder, files, tree_oid(files), made.parameters, made.config)


def tree_oid(files: dict[str, RepositoryFile]) -> str:
    """A name for a folder that follows from the names and contents below it."""
    listing = "".join(f"{path} {file.oid}\n" for path, file in sorted(files.items()))
    return sha1(listing.encode(), usedforsecurity=False).hexdigest()


def _describe(path: str, content: bytes) -> RepositoryFile:
    if not path.endswith(LFS_SUFFIXES):
        return RepositoryFile(path, len(content), _blob_oid(content), None, None)
    digest = sha256(content).hexdigest()
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {len(content)}\n".encode()
    return RepositoryFile(path, len(content), _blob_oid(pointer), digest, len(pointer))


def _blob_oid(content: bytes) -> str:
    return sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _replace_folder(folder: Path, contents: dict[str, bytes]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".making-", dir=folder.parent) as scratch:
        new, old = Path(scratch, "new"), Path(scratch, "old")
        for path, content in contents.items():
            (new / path).parent.mkdir(parents=True, exist_ok=True)
            (new / path).write_bytes(content)
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
