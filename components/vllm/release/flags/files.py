"""Flags of `vllm serve` whose values name files: single ones of the user's computer are sent to the machine.

A file goes into the folder of the server's setting, and the flag names it there: `FOLDER` stands for that folder, whose
name follows from all that is in it. What else names a place has to name one on the machine. Which flags these are is
read from the sources of vLLM 0.32 (config/, engine/arg_utils.py, entrypoints/launchers/cli_args.py).
"""

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from components.text.spelling import did_you_mean
from components.vllm.release.flags import VLLM_VERSION
from components.vllm.release.flags.release import CHAT_TEMPLATES

FOLDER = "@generation@"
"""Replaced on the machine, by scripts/generations.py."""

MACHINE_HOME = Path("/home/ubuntu")
MOST_BYTES = 1 << 20
TEMPLATE_CHARACTERS = "{}\n"
"""What vLLM tells a template that is written out from the name of a file by (renderers/chat_utils.py)."""

SENT = (
    "chat-template",
    "log-config-file",
    "logging-config.pylogging_config_file",
    "mm-encoder-fp8-scale-path",
    "reasoning-parser-plugin",
    "structured-outputs-config.reasoning_parser_plugin",
    "tool-parser-plugin",
)
"""Flags, and parts of them, that name one file which the server reads."""

PLACES = frozenset(
    {
        *("allowed-local-media-path", "compilation-config", "default-mm-loras", "download-dir", "generation-config"),
        *("hf-config-path", "lora-modules", "mm-encoder-fp8-scale-save-path", "model-loader-extra-config"),
        *("profiler-config", "spec-model", "speculative-config", "tokenizer"),
    }
)
"""Flags that name folders, or places to write to, somewhere in their values."""
NO_PLACES = frozenset({"auto", "vllm"})
"""Words that these take besides."""

MODULES = frozenset(
    {"ec-transfer-config", "kv-transfer-config", "logits-processors", "scheduler-cls", "worker-cls"}
    | {"worker-extension-cls"}
)
"""Flags that name modules of Python, or classes in them."""


@dataclass(frozen=True)
class SentFiles:
    """The flags as the machine gets them, and what goes there with them."""

    flags: Mapping[str, Any]
    files: Mapping[str, str] = field(default_factory=dict)
    """Contents by their places in the folder of the setting."""
    problems: tuple[str, ...] = ()
    """A line for each flag that names what will not be on the machine."""
    notes: tuple[str, ...] = ()
    """A line for each file that is taken to be on the machine."""


class _FileError(Exception):
    """What is wrong with a file; one line."""


def read_files(given: Mapping[str, Any], project: Path, home: Path, version: str | None) -> SentFiles:
    """Read the files that checked flags name. A relative path begins at the project's folder, `~` is the user's home.

    `version` is the release of vLLM that will run, None for the pinned one.
    """
    flags = deepcopy(dict(given))
    files: dict[str, str] = {}
    problems: list[str] = []
    notes: list[str] = []
    reader = _Reader(project, home, version in {None, VLLM_VERSION})
    for name, value in _named(flags):
        try:
            file = reader.find(name, value)
            if file:
                place = f"files/{name}/{file.name}"
                files[place] = _content(name, file)
                _set(flags, name, f"{FOLDER}/{place}")
            elif reader.is_of_the_machine(name, value):
                notes.append(f"vllmArgs: {name}: {value} is no file of this computer, so it has to be on the machine")
        except _FileError as error:
            problems.append(f"vllmArgs: {name}: {error}")
    problems += reader.elsewhere(given)
    return SentFiles(flags, files, tuple(problems), tuple(notes))


def variables_elsewhere(given: Mapping[str, Any], project: Path, home: Path) -> Iterator[str]:
    """A line for each variable of the server that names a path of this computer; the value may be secret."""
    reader = _Reader(project, home, is_listed=True)
    for name, value in given.items():
        is_path = isinstance(value, str) and (value.startswith("~") or "/" in value)
        if is_path and reader.is_place_here(value):
            yield (
                f"vllmEnv: {name} names a path of this computer, and the server runs on the machine: name an absolute "
                "path there"
            )


def _named(flags: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the flags of `SENT` name."""
    found = []
    for name in SENT:
        flag, _, part = name.partition(".")
        value = _object(flags.get(flag)).get(part) if part else flags.get(flag)
        if value and isinstance(value, str):
            found.append((name, value))
    return found


def _set(flags: dict[str, Any], name: str, value: str) -> None:
    flag, _, part = name.partition(".")
    flags[flag] = {**_object(flags[flag]), part: value} if part else value


@dataclass(frozen=True)
class _Reader:
    """The user's computer."""

    project: Path
    home: Path
    is_listed: bool
    """Whether the release is the one whose own templates are known."""

    def find(self, name: str, value: str) -> Path | None:
        """The file of this computer that is meant, None when there is none to send."""
        if not _names_a_file(name, value):
            return None
        path = self._path(value)
        if _exists(path):
            return path
        if name == "chat-template" and "/" not in value:
            # vLLM looks among its own.
            if not self.is_listed or value in CHAT_TEMPLATES:
                return None
            question = did_you_mean(value, CHAT_TEMPLATES).removesuffix("?")
            own = f"; {question} of vLLM's own?" if question else ""
            raise _FileError(f"there is no file {value} in {self.project}{own}")
        if self._is_here(value, path):
            raise _FileError(f"there is no file {path}")
        return None

    def is_of_the_machine(self, name: str, value: str) -> bool:
        """Whether it is taken for a file that is there, and not for a word of vLLM's."""
        return _names_a_file(name, value) and not (self.is_listed and value in CHAT_TEMPLATES)

    def elsewhere(self, given: Mapping[str, Any]) -> Iterator[str]:
        """Places and modules of this computer that are not sent."""
        for flag in given:
            if flag in PLACES:
                is_word = isinstance(given[flag], str) and not given[flag].startswith(("{", "["))
                for value in _texts(given[flag]):
                    # Inside of objects there are other words too, which may be names of folders here.
                    if value not in NO_PLACES and (is_word or "/" in value) and self.is_place_here(value):
                        yield (
                            f"vllmArgs: {flag}: {value} lies on this computer, and the server runs on the machine: "
                            "name an absolute path there, such as one below /lambda/nfs"
                        )
            if flag in MODULES:
                for value in _texts(given[flag]):
                    module = value.replace(":", ".").partition(".")[0]
                    if module.isidentifier() and self._has_module(module):
                        yield (
                            f"vllmArgs: {flag}: the module {module} lies on this computer, and is not sent: only what "
                            "is installed on the machine can be named"
                        )

    def _path(self, value: str) -> Path:
        if value == "~" or value.startswith("~/"):
            return self.home / value[2:]
        return self.project / value

    def _is_here(self, value: str, path: Path) -> bool:
        """Whether a path can only be one of this computer."""
        if not value.startswith("/"):
            return True
        # A user without a home of his own has that of the whole computer, where every path is.
        own = [place for place in (self.home, self.project) if place != place.parent]
        is_users = any(path.is_relative_to(place) for place in own)
        return is_users and not path.is_relative_to(MACHINE_HOME)

    def is_place_here(self, value: str) -> bool:
        """Whether a path is one that only this computer has."""
        if value.startswith(("~", "./", "../")):
            return True
        path = self._path(value)
        return self._is_here(value, path) and _exists(path)

    def _has_module(self, module: str) -> bool:
        return (self.project / f"{module}.py").is_file() or (self.project / module / "__init__.py").is_file()


def _names_a_file(name: str, value: str) -> bool:
    """And not a template that is written out, or a module that is installed."""
    if name == "chat-template":
        return not any(character in value for character in TEMPLATE_CHARACTERS)
    if name.endswith("plugin"):
        return "/" in value or value.endswith(".py")
    return True


def _content(name: str, file: Path) -> str:
    """The text of a file as the server is to read it; `_FileError` when it is none."""
    if file.exists() and not (file.is_file() or file.is_dir()):
        # It may have no end, or none that comes.
        raise _FileError(f"{file} is no file")
    try:
        with file.open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise _FileError(f"{file} cannot be read: {error.strerror}") from None
    if len(data) > MOST_BYTES:
        raise _FileError(f"{file} has more than 1 MiB: put it on the machine, and name its path there")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise _FileError(f"{file} is no text in UTF-8")
    if not text.strip():
        raise _FileError(f"{file} is empty")
    if not (name == "chat-template" or name.endswith("plugin")):
        try:
            json.loads(text)
        except ValueError as error:
            raise _FileError(f"{file} is no JSON: {error}") from None
    return text.replace("\r\n", "\n")


def _object(value: Any) -> dict[str, Any]:
    """A JSON flag, which may be written as text."""
    parsed = value
    if isinstance(value, str):
        try:
            parsed = json.loads(value)
        except ValueError:
            # vLLM says what it takes.
            return {}
    return dict(parsed) if isinstance(parsed, dict) else {}


def _texts(value: Any) -> Iterator[str]:
    """All texts in a value, also in JSON that is written as text; of `name=path` the path."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, str):
        try:
            parsed = json.loads(value)
        except ValueError:
            parsed = None
        if isinstance(parsed, dict | list):
            yield from _texts(parsed)
        elif value:
            yield value.partition("=")[2] or value


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        # A text that is too long for a path.
        return False
