"""What a Hugging Face hub knows before a machine is rented: is the model there, may this token have it, what is in it?

Nothing but JSON and the headers of the weights is downloaded. What is asked at the same time: the list of files,
`config.json` and the index of the shards; then all headers. A near hub answers in well under a second.
"""

import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import quote, urlsplit

from components.model.hub.checkpoint import Checkpoint, RepositoryFile, TensorHeader
from components.model.hub.connection import HubConnection
from components.model.hub.errors import Asked, HubError, HubUnreachableError
from components.model.hub.files import (
    ADAPTER_CONFIG,
    CONFIG,
    INDEX,
    download_excludes,
    has_pickled_weights,
    is_downloaded,
    shards_of,
    what_is_there,
)
from components.model.hub.headers import read_header

__all__ = ["Hub", "HubError", "HubUnreachableError"]

THREADS = 16
MOST_PAGES = 1000
"""Of the list of files; each has up to a thousand."""
MODELOPT_CONFIG = "hf_quant_config.json"
"""Where NVIDIA's ModelOpt says how it quantised; vLLM takes it for a missing `quantization_config`."""
COMMIT = re.compile(r"[0-9a-f]{40}")
NAME = re.compile(r"[A-Za-z0-9_][\w.-]*(/[A-Za-z0-9_][\w.-]*)?", re.ASCII)
"""Names of repositories; the oldest, such as `gpt2`, have no owner."""


class Hub:
    """A hub at one URL with one token, which may be empty."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url.rstrip("/")
        self._token = token

    def resolve(self, model: str, revision: str) -> Checkpoint:
        """What a branch, tag or commit of a model holds now, with the proof that its files can be read.

        Weights in PyTorch's own form (`.bin`) have no header: `tensors` is empty then, and the sizes of the files are
        all there is.

        Raises:
            HubUnreachableError: the hub cannot be asked now; nothing is known about the model.
            HubError: the model cannot be had or cannot be served; one line with what to do.
        """
        asked = Asked(self._url, model, revision, bool(self._token))
        with HubConnection(asked, self._token) as connection:
            name, commit = _commit(asked, connection)
        now = replace(asked, model=name)
        with HubConnection(now, self._token) as connection, ThreadPoolExecutor(THREADS) as threads:
            return _Snapshot(now, connection, threads, commit).checkpoint()


def _commit(asked: Asked, connection: HubConnection) -> tuple[str, str]:
    """The present name of the model, and the commit that the revision is now."""
    info, _ = connection.api(f"/revision/{quote(asked.revision, safe='')}")
    try:
        name, commit = str(info["id"]), str(info["sha"])
    except (LookupError, TypeError):
        raise asked.not_a_hub() from None
    if not (COMMIT.fullmatch(commit) and NAME.fullmatch(name)):
        raise asked.not_a_hub()
    return name, commit


class _Snapshot:
    """One commit, read by several threads."""

    def __init__(self, asked: Asked, connection: HubConnection, threads: ThreadPoolExecutor, commit: str) -> None:
        self._asked = asked
        self._connection = connection
        self._threads = threads
        self._commit = commit

    def checkpoint(self) -> Checkpoint:
        asked_tree = self._threads.submit(self._tree)
        asked_index = self._threads.submit(self._connection.json_file, self._commit, INDEX)
        # First, as it is what a gate refuses: the list of files is public.
        config = self._connection.json_file(self._commit, CONFIG)
        paths = {file.path: file for file in asked_tree.result()}
        excludes = download_excludes(paths)
        files = {path: file for path, file in paths.items() if is_downloaded(path, excludes)}
        shards = self._shards(files, asked_index.result())
        if config is None or not (shards or has_pickled_weights(files)):
            raise self._not_served(list(paths))
        if not isinstance(config, dict):
            raise HubError(
                f"{CONFIG} of {self._asked.model} is not a JSON object: choose another model or modelRevision"
            )
        if MODELOPT_CONFIG in files and config.get("quantization_config") is None:
            config["quantization_config"] = self._connection.json_file(self._commit, MODELOPT_CONFIG)
        return Checkpoint(self._asked.model, self._commit, config, tuple(files.values()), self._tensors(shards))

    def _not_served(self, paths: list[str]) -> HubError:
        has_weights = bool(shards_of(paths)) or has_pickled_weights(paths)
        if has_weights and ADAPTER_CONFIG not in paths:
            why = f"has no {CONFIG}: this program serves repositories in the layout of transformers"
        else:
            why = what_is_there(paths)
        return HubError(f"model {self._asked.model} {why}; its files are at {self._asked.page}/tree/{self._commit}")

    def _shards(self, files: Mapping[str, RepositoryFile], index: Any) -> tuple[RepositoryFile, ...]:
        """The files that vLLM reads: those of the index, else all."""
        if index is None:
            return tuple(files[path] for path in shards_of(files))
        try:
            named = sorted({str(path) for path in index["weight_map"].values()})
        except (LookupError, TypeError, AttributeError):
            raise HubError(f"{INDEX} of {self._asked.model} names no files: choose another modelRevision") from None
        if missing := [path for path in named if path not in files]:
            raise HubError(
                f"{INDEX} of {self._asked.model} names {missing[0]}, which is not there: choose another modelRevision"
            )
        return tuple(files[path] for path in named)

    def _tensors(self, shards: tuple[RepositoryFile, ...]) -> dict[str, TensorHeader]:
        read = partial(self._connection.part_of_file, self._commit)
        tensors: dict[str, TensorHeader] = {}
        for header in self._threads.map(partial(read_header, read=read), shards):
            tensors |= header
        return tensors

    def _tree(self) -> list[RepositoryFile]:
        """Every file of the commit, page by page."""
        files: list[RepositoryFile] = []
        query = "recursive=true"
        for _ in range(MOST_PAGES):
            entries, answer = self._connection.api(f"/tree/{self._commit}", query)
            files += self._files(entries)
            following = answer.links.get("next", {}).get("url")
            if following is None:
                return files
            # Of the link only what it asks for is used: its host may be that of the hub behind a mirror.
            query = urlsplit(following).query
        raise self._asked.not_a_hub()

    def _files(self, entries: Any) -> list[RepositoryFile]:
        try:
            return [
                RepositoryFile(str(entry["path"]), int(entry["size"]), (entry.get("lfs") or {}).get("oid"))
                for entry in entries
                if entry["type"] == "file"
            ]
        except (LookupError, TypeError, ValueError, AttributeError):
            raise self._asked.not_a_hub() from None
