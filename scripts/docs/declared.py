"""The words of the configuration as they are declared, ready to be written down."""

import ast
import inspect
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo

from components.settings.groups import GROUPS, Words
from components.settings.word import Word, word_of

DECLARED_IN = "components/settings/groups.py"


@dataclass(frozen=True)
class Declared:
    """A word, with all that is said of it."""

    key: str
    """As users write it."""
    summary: str
    """What it is, without a period at the end."""
    more: str
    """The rest of its meaning, in Markdown."""
    default: Any
    """None where there is none."""
    schema: dict[str, Any]
    """Its type, as JSON Schema."""
    word: Word


@dataclass(frozen=True)
class Group:
    """Words that belong together."""

    title: str
    words: tuple[Declared, ...]


def declared() -> list[Group]:
    """All words, in the order in which a reader meets them."""
    return [Group(_line(group.__doc__ or ""), tuple(_words(group))) for group in GROUPS]


def _words(group: type[Words]) -> list[Declared]:
    schemas = group.model_json_schema()["properties"]
    meanings, fields = _meanings(group), group.model_fields
    return [
        _declared(to_camel(name), field, schemas[to_camel(name)], meanings.get(name, ""))
        for name, field in fields.items()
    ]


def _meanings(group: type[Words]) -> dict[str, str]:
    """What stands below each field in the source."""
    [declaration] = ast.parse(inspect.getsource(group)).body
    assert isinstance(declaration, ast.ClassDef)
    return {
        field.target.id: inspect.cleandoc(below.value.value)
        for field, below in pairwise(declaration.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
    }


def _declared(key: str, field: FieldInfo, schema: dict[str, Any], meaning: str) -> Declared:
    summary, _, more = meaning.partition("\n\n")
    default = None if field.is_required() else field.default
    return Declared(key, _line(summary), _line(more), default, schema, word_of(field))


def _line(text: str) -> str:
    return " ".join(text.split()).removesuffix(".")
