"""Changes to a repository as clients send them: commits of small files, branches and tags."""

import base64
import json
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

from localcloud.hub import refusals
from localcloud.hub.history import History
from localcloud.hub.repository import BRANCH, Repository


def commit(history: History, branch: str, body: bytes) -> Repository:
    """`POST /api/models/{name}/commit/{branch}`: JSON lines, the message first and then the files.

    Raises:
        HubRefusalError: there is no such branch, or the lines ask for what this hub does not do, such as large files.
    """
    if branch not in history.branches:
        raise refusals.revision_not_found(branch)
    changes: dict[str, bytes | None] = {}
    try:
        for line in body.splitlines():
            entry = json.loads(line)
            if entry["key"] != "header":
                changes[_path(entry["value"]["path"])] = _READ[entry["key"]](entry["value"])
    except (ValueError, LookupError, TypeError):
        raise refusals.bad_request("Only regular files can be written and deleted here") from None
    return history.commit(branch, changes)


def upload_modes(files: list[dict[str, Any]]) -> dict[str, Any]:
    """`POST /api/models/{name}/preupload/{branch}`: every file is to come within the commit."""
    return {"files": [{"path": file["path"], "uploadMode": "regular", "shouldIgnore": False} for file in files]}


def add_reference(history: History, commits: dict[str, str], name: str, revision: str | None) -> None:
    """A new branch or tag in `commits`, at `revision` or at the branch `main`.

    Raises:
        HubRefusalError: the name is taken, or there is no such revision.
    """
    start = history.at(revision or BRANCH)
    if start is None:
        raise refusals.revision_not_found(str(revision))
    if name in commits:
        raise refusals.reference_exists(name)
    commits[name] = start.commit


def remove_reference(commits: dict[str, str], name: str) -> None:
    """Take a branch or tag away.

    Raises:
        HubRefusalError: it is not there, or it is the branch `main`.
    """
    if name == BRANCH:
        raise refusals.bad_request("Cannot delete the default branch")
    if commits.pop(name, None) is None:
        raise refusals.revision_not_found(name)


def _path(path: str) -> str:
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts:
        raise ValueError
    return str(PurePosixPath(path))


def _content(value: dict[str, Any]) -> bytes:
    return base64.b64decode(value["content"], validate=True)


_READ: dict[str, Callable[[dict[str, Any]], bytes | None]] = {"file": _content, "deletedFile": lambda _value: None}
