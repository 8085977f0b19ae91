"""What the hub's API says of a repository, in the shapes that huggingface_hub 2.4 (`hf_api.py`) reads."""

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any

from localcloud.hub.access import OWNERS, Caller
from localcloud.hub.history import History
from localcloud.hub.repository import Repository, RepositoryFile, tree_oid

CREATED_AT = "2024-07-18T08:56:00.000Z"
"""The day Llama 3.1 8B Instruct came to the hub. Fixed, because content that never changes has no later date."""


def model_info(repository: Repository, with_blobs: bool) -> dict[str, Any]:
    """`GET /api/models/{name}`; `with_blobs` adds sizes and hashes to the files."""
    model = repository.model
    return {
        "_id": repository.commit[:24],
        "id": model.name,
        "modelId": model.name,
        "author": model.name.partition("/")[0],
        "sha": repository.commit,
        "createdAt": CREATED_AT,
        "lastModified": CREATED_AT,
        "private": False,
        "disabled": False,
        "gated": model.gated,
        "tags": ["transformers", "safetensors", "llama", "text-generation", "conversational", "random-weights"],
        "pipeline_tag": "text-generation",
        "library_name": "transformers",
        "config": repository.config,
        "safetensors": {"parameters": repository.parameters_by_type, "total": repository.parameters},
        "siblings": [_sibling(file, with_blobs) for file in repository.files.values()],
        "usedStorage": sum(file.size for file in repository.files.values()),
    }


def _sibling(file: RepositoryFile, with_blobs: bool) -> dict[str, Any]:
    if not with_blobs:
        return {"rfilename": file.path}
    sibling = {"rfilename": file.path, "size": file.size, "blobId": file.oid}
    if file.sha256 is None:
        return sibling
    return sibling | {"lfs": {"sha256": file.sha256, "size": file.size, "pointerSize": file.pointer_size}}


def tree(repository: Repository, folder: str, recursive: bool) -> list[dict[str, Any]] | None:
    """`GET /api/models/{name}/tree/{revision}/{folder}`: folders, then files; paths from the root of the repository.

    Returns:
        `None` when there is no such folder. The empty string is the root.
    """
    base = PurePosixPath(folder)
    below = {path: file for path, file in repository.files.items() if base in PurePosixPath(path).parents}
    if not below:
        return None
    parents = {parent for path in below for parent in PurePosixPath(path).parents if base in parent.parents}
    entries = [_folder_entry(parent, below) for parent in sorted(parents)] + file_entries(below.values())
    return [entry for entry in entries if recursive or PurePosixPath(entry["path"]).parent == base]


def file_entries(files: Iterable[RepositoryFile]) -> list[dict[str, Any]]:
    """Files as `tree` and `paths-info` show them."""
    return [_file_entry(file) for file in files]


def _file_entry(file: RepositoryFile) -> dict[str, Any]:
    entry = {"type": "file", "oid": file.oid, "size": file.size, "path": file.path}
    if file.sha256 is None:
        return entry
    return entry | {"lfs": {"oid": file.sha256, "size": file.size, "pointerSize": file.pointer_size}}


def _folder_entry(folder: PurePosixPath, files: dict[str, RepositoryFile]) -> dict[str, Any]:
    below = {path: file for path, file in files.items() if folder in PurePosixPath(path).parents}
    return {"type": "directory", "oid": tree_oid(below), "size": 0, "path": str(folder)}


def refs(history: History) -> dict[str, Any]:
    """`GET /api/models/{name}/refs`."""
    return {
        "branches": _references(history.branches, "refs/heads"),
        "converts": [],
        "tags": _references(history.tags, "refs/tags"),
    }


def _references(commits: dict[str, str], kind: str) -> list[dict[str, str]]:
    return [{"name": name, "ref": f"{kind}/{name}", "targetCommit": commit} for name, commit in commits.items()]


def whoami(caller: Caller) -> dict[str, Any]:
    """`GET /api/whoami-v2`: the owner of a token."""
    name = OWNERS[caller]
    role = {Caller.WITH_ACCESS: "write", Caller.FINE_GRAINED: "fineGrained"}.get(caller, "read")
    token = {"displayName": "local cloud", "role": role, "createdAt": CREATED_AT}
    return {
        "type": "user",
        "id": name,
        "name": name,
        "fullname": name.capitalize(),
        "isPro": False,
        "orgs": [],
        "auth": {"type": "access_token", "accessToken": token},
    }
