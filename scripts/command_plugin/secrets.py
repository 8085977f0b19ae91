"""Marks of secrets on property values: taken off for the work, put back in the same places for the state.

A secret may hold others, as those of a connection do; version 1.2.1 keeps each mark and finds a change where one is
missing, so they are kept here too.
"""

from collections.abc import Set
from typing import Any

from .properties import SECRET, SIGNATURE, Properties

Path = tuple[str | int, ...]
"""Where a value is: the keys and indices that lead to it from the outside."""

CONNECTION_SECRETS: frozenset[Path] = frozenset(
    {
        ("connection",),
        ("connection", "password"),
        ("connection", "privateKey"),
        ("connection", "privateKeyPassword"),
    }
)
"""What 1.2.1 marks by itself, in both resources."""


def plain(properties: Properties) -> Properties:
    """The properties without any mark."""
    result: Properties = _plain(properties)
    return result


def secret_paths(value: Any, path: Path = ()) -> frozenset[Path]:
    """Where the marks are."""
    if _is_secret(value):
        return secret_paths(value["value"], path) | {path}
    return frozenset().union(*(secret_paths(item, (*path, key)) for key, item in _items(value)))


def with_secrets(properties: Properties, paths: Set[Path]) -> Properties:
    """Properties without marks, with those put on; a path that leads nowhere marks nothing."""
    return {key: _marked(item, paths, (key,)) for key, item in properties.items()}


def _plain(value: Any) -> Any:
    if _is_secret(value):
        return _plain(value["value"])
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def _marked(value: Any, paths: Set[Path], path: Path) -> Any:
    if isinstance(value, dict):
        value = {key: _marked(item, paths, (*path, key)) for key, item in value.items()}
    elif isinstance(value, list):
        value = [_marked(item, paths, (*path, index)) for index, item in enumerate(value)]
    return {SIGNATURE: SECRET, "value": value} if path in paths else value


def _is_secret(value: Any) -> bool:
    return isinstance(value, dict) and value.get(SIGNATURE) == SECRET


def _items(value: Any) -> list[tuple[str | int, Any]]:
    if isinstance(value, dict):
        return list(value.items())
    return list(enumerate(value)) if isinstance(value, list) else []
