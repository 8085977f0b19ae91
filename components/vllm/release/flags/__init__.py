"""The flags of `vllm serve`, as they stand in `vllmArgs` and as they arrive.

They are checked against what the own parser of the release takes that is pinned for GPUs. `removed.json` holds flags of
older releases that it does not take, with what came instead, by hand, from their sources.
"""

import difflib
import json
import re
from collections.abc import Mapping, Set
from copy import deepcopy
from pathlib import Path
from typing import Any

from components.vllm.release.flags.values import FlagValueError, arriving, is_choice
from components.vllm.release.lists import GPU_TARGET, generated

_LIST = generated("serve", GPU_TARGET)
FLAGS: Mapping[str, Mapping[str, Any]] = _LIST["flags"]
VLLM_VERSION: str = _LIST["vllm"]
"""The release that the list is of."""
REMOVED: Mapping[str, str] = json.loads(Path(__file__).with_name("removed.json").read_text())
_SHORT = {short.lstrip("-"): name for name, entry in FLAGS.items() for short in entry.get("short", ())}
_NAME = re.compile(r"[a-z][a-z0-9-]*(\.[A-Za-z_][A-Za-z0-9_]*)*")


class FlagsError(Exception):
    """Flags that cannot be given; `lines` has one for each, without values."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


def checked_flags(
    given: Mapping[str, Any], version: str | None, taken: Mapping[str, str], refused: Set[str]
) -> dict[str, Any]:
    """The flags in a form in which vLLM's `--config` file gives them to its parser as they are meant.

    `taken` are flags that have a key of the settings, `refused` those that the user does not set. Of another release
    than the listed one neither names nor values are known, and only these two and the form are checked. `FlagsError`
    with all that is wrong.
    """
    listed = version in {None, VLLM_VERSION}
    flags: dict[str, Any] = {}
    lines = []
    for name, value in given.items():
        flag, *inside = name.split(".")
        if wrong := _wrong_name(name, flag, listed, taken, refused):
            lines.append(wrong)
            continue
        try:
            if inside:
                _put(flags, [flag, *inside], value, is_json=not listed or "json" in FLAGS[flag]["takes"])
            elif flag in flags:
                raise FlagValueError("it is there twice, also as parts of it with dots")
            else:
                flags[flag] = deepcopy(value)
        except FlagValueError as error:
            lines.append(f"{name}: {error}")
    for flag, value in flags.items():
        try:
            flags[flag] = arriving(value, FLAGS[flag] if listed else None)
        except FlagValueError as error:
            lines.append(f"{flag}: {error}")
    if lines:
        raise FlagsError(lines)
    return flags


def not_taken_by(target: str, given: Mapping[str, Any]) -> list[str]:
    """Names of checked flags that the release of a target does not know, or not with that word."""
    taken = generated("serve", target)["flags"]
    return sorted(
        flag
        for flag, value in given.items()
        if flag not in taken
        or not all(is_choice(one, taken[flag]) for one in (value if isinstance(value, list) else [value]))
    )


def _wrong_name(name: str, flag: str, listed: bool, taken: Mapping[str, str], refused: Set[str]) -> str:
    """The line that says what is wrong with a name, empty when nothing is."""
    plain = flag.lstrip("-").replace("_", "-").lower()
    positive = plain.removeprefix("no-")
    # vLLM's parser takes the beginning of a flag for the flag.
    meant = {plain} if listed else {other for other in {*taken, *refused} if other.startswith(plain)} | {plain}
    for other in sorted(meant | {positive}):
        if other in taken:
            return f"{other} is set with the key {taken[other]}"
        if other in refused or other.startswith("ssl-"):
            return f"{other} would take the server out of reach, or the key check from it"
    if plain != flag:
        return f"{name}: flags are written without the leading --, in small letters with dashes: {plain}"
    if not _NAME.fullmatch(name):
        return f"{name}: this is no name of a flag"
    if not listed or flag in FLAGS:
        return ""
    return f"{name}: {_unknown(flag, positive)}"


def _unknown(flag: str, positive: str) -> str:
    if flag != positive and FLAGS.get(positive, {}).get("takes") == "switch":
        return f"write `{positive}: false`"
    if flag in _SHORT:
        return f"write its long form, {_SHORT[flag]}"
    if flag in REMOVED:
        return f"vLLM {VLLM_VERSION} does not have it any more: {REMOVED[flag]}"
    near = difflib.get_close_matches(flag, FLAGS, n=1, cutoff=0.7)
    return f"vLLM {VLLM_VERSION} has no such flag" + (f"; did you mean {near[0]}?" if near else "")


def _put(flags: dict[str, Any], path: list[str], value: Any, *, is_json: bool) -> None:
    """A part of a JSON flag: with dots, vLLM's file reader would lose true and false, and lists."""
    if not is_json:
        raise FlagValueError(f"{path[0]} has no parts")
    place = flags
    for step in path[:-1]:
        place = place.setdefault(step, {})
        if not isinstance(place, dict):
            raise FlagValueError("it is there twice, also as parts of it with dots")
    if path[-1] in place:
        raise FlagValueError("it is there twice, also as parts of it with dots")
    place[path[-1]] = value
