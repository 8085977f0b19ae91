"""The commits of a repository since the hub was started, and the branches and tags that name them.

A commit of a client lasts until the hub ends: what is made on the spot is made anew then.
"""

import os
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha1
from pathlib import Path

from localcloud.hub.repository import BRANCH, Repository, describe, tree_oid


class History:
    """A repository with everything that has happened to it."""

    def __init__(self, first: Repository) -> None:
        self._commits = {first.commit: first}
        self.branches = {BRANCH: first.commit}
        self.tags: dict[str, str] = {}

    def at(self, revision: str) -> Repository | None:
        """The repository as a branch, tag or commit has it."""
        return self._commits.get(self.branches.get(revision) or self.tags.get(revision) or revision)

    def commit(self, branch: str, changes: Mapping[str, bytes | None]) -> Repository:
        """Put a commit on a branch that there is.

        Args:
            changes: path to new content; `None` takes the file away. No path leads out of the repository.

        Raises:
            OSError: the disk is full or not writable.
        """
        parent = self._commits[self.branches[branch]]
        kept = {path: file for path, file in parent.files.items() if path not in changes}
        added = {path: describe(path, content) for path, content in changes.items() if content is not None}
        files = dict(sorted((kept | added).items()))
        commit = sha1(f"{parent.commit} {tree_oid(files)}".encode(), usedforsecurity=False).hexdigest()
        folder = parent.folder.with_name(f"{parent.folder.name.partition('@')[0]}@{commit}")
        for path in kept:
            _link(parent.folder / path, folder / path)
        for path, content in changes.items():
            if content is not None:
                _write(folder / path, content)
        made = replace(parent, folder=folder, files=files, commit=commit)
        self._commits[commit] = made
        self.branches[branch] = commit
        return made


def _link(old: Path, new: Path) -> None:
    new.parent.mkdir(parents=True, exist_ok=True)
    new.unlink(missing_ok=True)
    os.link(old, new)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # What an earlier run left may be linked to from elsewhere.
    path.unlink(missing_ok=True)
    path.write_bytes(content)
