"""Values of flags, as they survive vLLM's reader of `--config` files (0.32: `FlexibleArgumentParser.load_config_file`).

It makes words of a command line of them: true becomes the flag alone and false its `--no-` form, a list one word for
each entry, an object JSON, and everything else its text. So a list for a flag that reads JSON has to be text already,
an object in a list as well, and a text that begins with a dash would be taken for the next flag.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

_SIZE = re.compile(r"-?\d+|\d+(\.\d+)?[kmgt]|\d+[KMGT]")
_INT = re.compile(r"-?\d+")
_NUMBER = re.compile(r"-?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_WORDS = {
    "int": (_INT, "a whole number"),
    "size": (_SIZE, "a whole number, also with k, m, g (thousands) or K, M, G (1024)"),
    "number": (_NUMBER, "a number"),
}


class FlagValueError(Exception):
    """What is wrong with a value; does not repeat it, since it may be secret."""


def arriving(value: Any, entry: Mapping[str, Any] | None) -> Any:
    """The value to write into the file. `entry` is the flag's of serve.json, None when the flag is not known."""
    if entry is None:
        return _unknown(value)
    takes = entry["takes"]
    if value is None:
        # In a list it would be an entry of its own.
        if not entry.get("optional") or entry.get("list"):
            raise FlagValueError("it needs a value; for vLLM's own, leave the flag out")
        return value
    if takes == "switch" or (takes == "text-or-switch" and isinstance(value, bool)):
        if not isinstance(value, bool):
            raise FlagValueError("it takes true or false, without quotes")
        return value
    if isinstance(value, list) and takes not in {"json", "text-or-json"}:
        if not entry.get("list"):
            raise FlagValueError("it takes one value, no list")
        return [_one(item, takes, entry) for item in value]
    return _one(value, takes, entry)


def _one(value: Any, takes: str, entry: Mapping[str, Any]) -> Any:
    if takes == "json" or (takes in {"text-or-json", "lora"} and isinstance(value, dict | list)):
        return _json(value, in_list=takes == "lora")
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise FlagValueError(f"it takes {_WORDS[takes][1] if takes in _WORDS else 'a text'}")
    if takes in _WORDS and not _WORDS[takes][0].fullmatch(str(value)):
        raise FlagValueError(f"it takes {_WORDS[takes][1]}")
    if takes not in _WORDS:
        _no_dash(value)
    _chosen(value, entry)
    return value


def _chosen(value: str | float, entry: Mapping[str, Any]) -> None:
    if not is_choice(value, entry):
        raise FlagValueError(f"it takes one of {', '.join(map(str, entry['choices']))}")


def is_choice(value: object, entry: Mapping[str, Any]) -> bool:
    """Whether it is among the words that a flag takes; True where it takes any."""
    allowed = [str(choice) for choice in entry.get("choices", ())]
    word = str(value).lower().replace("-", "_") if entry.get("folds") else str(value)
    return not allowed or word in allowed


def _json(value: Any, *, in_list: bool) -> Any:
    if isinstance(value, dict) and not in_list:
        return value
    if isinstance(value, dict | list):
        return json.dumps(value)
    try:
        if isinstance(value, str) and isinstance(json.loads(value), dict | list):
            return value
    except ValueError:
        pass
    raise FlagValueError("it takes an object or a list, or the same as JSON text")


def _unknown(value: Any) -> Any:
    if isinstance(value, list):
        return [json.dumps(item) if isinstance(item, dict | list) else _no_dash(item) for item in value]
    return _no_dash(value)


def _no_dash(value: Any) -> Any:
    if isinstance(value, str) and value.startswith("-") and not _NUMBER.fullmatch(value):
        raise FlagValueError("a value that begins with a dash would be taken for the next flag")
    return value
