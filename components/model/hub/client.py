"""What a Hugging Face hub knows before a machine is rented: is the model there, may this token have it, what is in it?

Nothing but JSON and the headers of the weights is downloaded: first what the hub says of the model, with its list of
files; then `config.json` and the index of the shards, at the same time; then all headers, at the same time.
"""

import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

from components.dynamic.clock import SYSTEM_CLOCK, Clock
from components.model.hub.checkpoint import Checkpoint, RepositoryFile, TensorHeader
from components.model.hub.connection import HubConnection, ModelInfo
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
from components.model.hub.library import opened

__all__ = ["Hub", "HubError", "HubUnreachableError"]

THREADS = 16
MODELOPT_CONFIG = "hf_quant_config.json"
"""Where NVIDIA's ModelOpt says how it quantised; vLLM takes it for a missing `quantization_config`."""
COMMIT = re.compile(r"[0-9a-f]{40}")
NAME = re.compile(r"[A-Za-z0-9_][\w.-]*(/[A-Za-z0-9_][\w.-]*)?", re.ASCII)
"""Names of repositories; the oldest, such as `gpt2`, have no owner."""


class Hub:
    """A hub at one URL with one token, which may be empty; `clock` is the one by which it is asked again."""

    def __init__(self, url: str, token: str, clock: Clock = SYSTEM_CLOCK) -> None:
        self._url = url.rstrip("/")
        self._token = token
        self._clock = clock

    def resolve(self, model: str, revision: str) -> Checkpoint:
        """What a branch, tag or commit of a model holds now, with the proof that its files can be read.

        Weights in PyTorch's own form (`.bin`) have no header: `tensors` is empty then, and the sizes of the files are
        all there is.

        Raises:
            HubUnreachableError: the hub cannot be asked now; nothing is known about the model.
            HubError: the model cannot be had or cannot be served; one line with what to do.
        """
        asked = Asked(self._url, model, revision, bool(self._token))
        with opened(asked), ThreadPoolExecutor(THREADS) as threads:
            info = HubConnection(asked, self._token, self._clock).info()
            if not (COMMIT.fullmatch(info.commit) and NAME.fullmatch(info.id)):
                raise asked.not_a_hub()
            now = replace(asked, model=info.id)
            return _Snapshot(now, HubConnection(now, self._token, self._clock), threads, info).checkpoint()


class _Snapshot:
    """One commit, read by several threads."""

    def __init__(self, asked: Asked, connection: HubConnection, threads: ThreadPoolExecutor, info: ModelInfo) -> None:
        self._asked = asked
        self._connection = connection
        self._threads = threads
        self._listed = info.files
        self._commit = info.commit

    def checkpoint(self) -> Checkpoint:
        asked_index = self._threads.submit(self._connection.json_file, self._commit, INDEX)
        # First, as it is what a gate refuses: the list of files is public.
        config = self._connection.json_file(self._commit, CONFIG)
        paths = {file.path: file for file in self._listed}
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
