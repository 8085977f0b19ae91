"""Writes down which configurations a release of vLLM reads: python -m scripts.model_types VLLM_WHEEL TRANSFORMERS_WHEEL

Both wheels come from `pip download --no-deps`; nothing of them is run. The list goes to
components/vllm/release/model_types.json, for components/vllm/release/model_types.py to read.
"""

import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from components.text.counted import counted
from scripts.release_source import ReleaseSource

LIST = Path(__file__).parent.parent / "components/vllm/release/model_types.json"
OF_TRANSFORMERS = ("transformers/models/auto/auto_mappings.py", "transformers/models/auto/configuration_auto.py")
OF_VLLM = "vllm/transformers_utils/config.py"


def main(vllm: Path, transformers: Path) -> None:
    """Write the list."""
    source = ReleaseSource(transformers)
    known = {name for path in OF_TRANSFORMERS for name in _pairs(source.tree(path))}
    known |= set(_registered(ReleaseSource(vllm).tree(OF_VLLM)))
    document = {
        "vllm": vllm.name.split("-")[1],
        "transformers": transformers.name.split("-")[1],
        "model_types": sorted(known),
    }
    LIST.write_text(json.dumps(document, indent=1) + "\n")
    print(f"{LIST.name}: {counted(len(known), 'model type')}")


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


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m scripts.model_types VLLM_WHEEL TRANSFORMERS_WHEEL")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
