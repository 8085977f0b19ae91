"""Which configurations a release of vLLM reads, from its source: the list `model_types.json`."""

import ast
from collections.abc import Iterator
from typing import Any

from scripts.release_source import ReleaseSource

OF_TRANSFORMERS = ("transformers/models/auto/auto_mappings.py", "transformers/models/auto/configuration_auto.py")
OF_VLLM = "vllm/transformers_utils/config.py"


def model_types(vllm: ReleaseSource, transformers: ReleaseSource) -> dict[str, Any]:
    """The list."""
    known = {name for path in OF_TRANSFORMERS for name in _pairs(transformers.tree(path))}
    return {"model_types": sorted(known | set(_registered(vllm.tree(OF_VLLM))))}


def _pairs(module: ast.Module) -> Iterator[str]:
    """First of each pair, or key, whose second is the name of a configuration."""
    for node in ast.walk(module):
        if isinstance(node, ast.Tuple) and len(node.elts) == 2:
            yield from _key(*node.elts)
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                yield from _key(key, value)


def _registered(module: ast.Module) -> Iterator[str]:
    """Keys of vLLM's own registry: names of arguments, and those of dictionaries that are unpacked into it."""
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "LazyConfigDict":
            for keyword in node.keywords:
                if keyword.arg:
                    yield keyword.arg
                elif isinstance(keyword.value, ast.Dict):
                    for key, value in zip(keyword.value.keys, keyword.value.values, strict=True):
                        yield from _key(key, value)


def _key(key: ast.expr | None, value: ast.expr) -> Iterator[str]:
    if isinstance(key, ast.Constant) and isinstance(value, ast.Constant):
        name, configuration = key.value, value.value
        if isinstance(name, str) and isinstance(configuration, str) and configuration.endswith("Config"):
            yield name
