"""Writes down the flags of `vllm serve`, and what else vLLM reads by name: VENV/bin/python -m scripts.flags

VENV has the pinned vLLM, for any accelerator: its own parser is asked, and nothing is loaded. The lists go to
serve.json and release.json in components/vllm/release/flags, which reads them.
"""

import argparse
import json
import re
from collections import Counter
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent.parent / "components" / "vllm" / "release" / "flags"
LIST = FOLDER / "serve.json"
RELEASE = FOLDER / "release.json"
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
    """Write the list."""
    parsing = import_module("vllm.utils.argparse_utils")
    parser = import_module("vllm.entrypoints.launchers.cli_args").make_arg_parser(parsing.FlexibleArgumentParser())
    flags = {}
    for action in parser._actions:
        names = [name for name in action.option_strings if name.startswith("--") and name != "--help"]
        if names:
            flags[names[0].removeprefix("--")] = _entry(action)
    release = version("vllm").split("+")[0]
    document = {"vllm": release, "flags": dict(sorted(flags.items()))}
    LIST.write_text(json.dumps(document, indent=1) + "\n")
    print(f"{LIST.name}: {Counter(entry['takes'] for entry in flags.values())}")
    package = Path(str(import_module("vllm").__file__)).parent
    known = {"vllm": release, "chat_templates": _chat_templates(package), "variables": _variables(package)}
    RELEASE.write_text(json.dumps(known, indent=1) + "\n")
    print(f"{RELEASE.name}: {len(known['chat_templates'])} chat templates, {len(known['variables'])} variables")


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
