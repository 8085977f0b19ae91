"""Says which flags `vllm serve` takes, and what else vLLM reads by name: PYTHON scripts/flags.py > lists

PYTHON has the release, for any accelerator: its own parser is asked, and nothing is loaded. Standard output: a JSON
object with `serve` and `release`, the lists of these names in components/vllm/release/lists.
"""

import argparse
import json
import re
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

PARSERS = ("vllm.entrypoints.common.cli_args", "vllm.entrypoints.launchers.cli_args")
"""Modules that make the parser, from 0.33 on and before."""
ASKED = re.compile(r"""(?:environ|getenv)[\w.]*[(\[]\s*["'](VLLM_\w+)""")
"""A variable that is asked for where it is used, and stands in no list."""

KINDS = {
    "int": "int",
    "float": "number",
    "str": "text",
    "loads": "json",
    "parse_dataclass": "json",
    "union_dict_and_str": "text-or-json",
    "human_readable_int": "size",
    "human_readable_int_or_auto": "size",
}
"""Our word for the function that vLLM reads a value with."""
WRAPPERS = {"_optional_type", "_parse_type"}
"""Functions of vLLM that read a value with another one."""


def main() -> None:
    """Print the lists."""
    # What is said while modules are read is no part of them.
    out, sys.stdout = sys.stdout, sys.stderr
    release = version("vllm").split("+")[0]
    package = Path(str(import_module("vllm").__file__)).parent
    known = {"vllm": release, "chat_templates": _chat_templates(package), "variables": _variables(package)}
    json.dump({"serve": {"vllm": release, "flags": dict(sorted(_flags().items()))}, "release": known}, out)


def _flags() -> dict[str, Any]:
    flags = {}
    for action in _parser()._actions:
        names = [name for name in action.option_strings if name.startswith("--") and name != "--help"]
        if names:
            flags[names[0].removeprefix("--")] = _entry(action)
    return flags


def _parser() -> Any:
    parser = import_module("vllm.utils.argparse_utils").FlexibleArgumentParser()
    for place in PARSERS:
        try:
            module = import_module(place)
        except ModuleNotFoundError as error:
            if error.name != place:
                raise
        else:
            return module.make_arg_parser(parser)
    sys.exit("this release makes its parser elsewhere: read its source and adapt this script")


def _chat_templates(package: Path) -> list[str]:
    return sorted(file.name for file in (package / "transformers_utils/chat_templates").glob("*.jinja"))


def _variables(package: Path) -> list[str]:
    asked = {name for file in package.rglob("*.py") for name in ASKED.findall(file.read_text())}
    return sorted({*import_module("vllm.envs").environment_variables, *asked})


def _entry(action: Any) -> dict[str, Any]:
    entry: dict[str, Any] = {"takes": _kind(action)}
    choices = [choice for choice in action.choices or () if choice is not None]
    if choices:
        entry["choices"] = choices
    if choices and getattr(action.type, "__name__", "") == "<lambda>":
        entry["folds"] = True
    if action.nargs == "+" or isinstance(action, argparse._AppendAction):
        entry["list"] = True
    if getattr(action.type, "__name__", "") == "_optional_type":
        entry["optional"] = True
    if short := [name for name in action.option_strings if not name.startswith("--")]:
        entry["short"] = short
    return entry


def _kind(action: Any) -> str:
    if isinstance(action, argparse.BooleanOptionalAction | argparse._StoreTrueAction):
        return "switch"
    if type(action).__name__ == "LoRAParserAction":
        return "lora"
    if action.nargs == "?":
        return "text-or-switch"
    function = action.type
    while getattr(function, "__name__", "") in WRAPPERS:
        (function,) = (cell.cell_contents for cell in function.__closure__)
    return KINDS.get(getattr(function, "__name__", ""), "text")


if __name__ == "__main__":
    main()
