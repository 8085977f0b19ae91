"""The paths of a release's HTTP API, from its source."""

import ast
import re
from collections.abc import Iterator

from scripts.release_source import ReleaseSource

PACKAGE = "vllm/entrypoints"
METHODS = ("get", "post", "put", "delete", "patch")
ANY = "ANY"
"""In place of a method, of what is mounted."""


def http_paths(source: ReleaseSource) -> dict[str, list[str]]:
    """Each path with its methods; what is named in a path is `{id}`."""
    found: dict[str, set[str]] = {}
    for file in source.paths(PACKAGE):
        for path, methods in _routes(source.tree(file)):
            found.setdefault(re.sub(r"\{[^}]*\}", "{id}", path), set()).update(methods)
    return {path: sorted(found[path]) for path in sorted(found)}


def _routes(module: ast.Module) -> Iterator[tuple[str, set[str]]]:
    for call in (node for node in ast.walk(module) if isinstance(node, ast.Call) and node.args):
        path = call.args[0]
        is_path = isinstance(path, ast.Constant) and isinstance(path.value, str) and path.value.startswith("/")
        if is_path and (methods := _methods(call)):
            yield ast.literal_eval(path), methods


def _methods(call: ast.Call) -> set[str]:
    """Methods that a call serves its first argument with; none when it is another call."""
    if isinstance(call.func, ast.Name) and call.func.id == "Mount":
        return {ANY}
    if not isinstance(call.func, ast.Attribute) or not ast.unparse(call.func.value).endswith(("app", "router")):
        return set()
    if call.func.attr in METHODS:
        return {call.func.attr.upper()}
    if call.func.attr in ("add_api_route", "api_route"):
        named = next((word.value for word in call.keywords if word.arg == "methods"), None)
        return set(ast.literal_eval(named)) if named else {"GET"}
    return {ANY} if call.func.attr == "mount" else set()
