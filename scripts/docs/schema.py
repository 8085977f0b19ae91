"""The `config` part of Pulumi.yaml."""

import json
from collections.abc import Iterator
from textwrap import fill, indent
from typing import Any

import yaml

from scripts.docs.declared import DECLARED_IN, Declared, declared
from scripts.docs.place import put

LONGEST_LINE = 120
DEPTH = "    "
ABOUT = f"""\
  # Written by `make docs` from {DECLARED_IN}. What has no default, or is secret, stands in the README's
  # table alone: Pulumi refuses a stack without a value for a word that has no default here.
"""


def with_schema(project: str) -> str:
    """Pulumi.yaml with the words that the settings have, from the text that it has."""
    return put(project, r"^config:\n([ #].*\n|\n)*", f"config:\n{ABOUT}{''.join(_parts())}", "Pulumi.yaml: config:")


def _parts() -> Iterator[str]:
    for group in declared():
        words = [one for one in group.words if one.default is not None and not one.word.is_secret]
        yield f"\n  # {group.title}.\n"
        yield from map(_entry, words)


def _entry(one: Declared) -> str:
    lines = [_described(one.summary)]
    kind = one.schema.get("type")
    # Without a type it is whatever is in one line: a name that looks like a number, `auto` or a number.
    if kind not in {None, "string"}:
        lines.append(f"type: {kind}")
    if kind == "array":
        lines.append(f"items:\n  type: {one.schema['items']['type']}")
    lines.append(f"default: {in_one_line(one.default)}")
    inside = indent("\n".join(lines), DEPTH)
    return f"  {one.key}:\n{inside}\n"


def _described(summary: str) -> str:
    line = f"description: {in_one_line(summary)}"
    if len(DEPTH + line) <= LONGEST_LINE:
        return line
    width = LONGEST_LINE - len(DEPTH + DEPTH)
    folded = fill(summary, width, break_long_words=False, break_on_hyphens=False)
    return f"description: >-\n{indent(folded, '  ')}"


def in_one_line(value: Any) -> str:
    """A value as YAML, in quotes where it has to be."""
    text = yaml.safe_dump(value, default_flow_style=True, width=float("inf")).removesuffix("\n...\n").strip()
    return json.dumps(value, ensure_ascii=False) if text.startswith("'") else text
