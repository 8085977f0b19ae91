"""Which texts that are ours to know a release still has: marks of stages, failures, names that are imported."""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from components.vllm.release.diagnose.rows import Row
from components.vllm.release.service.marks import Mark
from scripts.release_source import ReleaseSource

PACKAGES = ("vllm", "transformers")
CHECK = Path(__file__).parents[2] / "components/on_machine/service/check_config.py"
SHORTEST = 8
"""Letters of the plain words of a pattern; fewer are found anywhere."""


def texts(vllm: ReleaseSource, transformers: ReleaseSource, marks: Iterable[Mark], rows: Iterable[Row]) -> Any:
    """The list `texts.json`: those of ours that the source has. What uvicorn or torch say is not looked for."""
    everything = "\n".join(
        _joined(source, package) for source, package in zip((vllm, transformers), PACKAGES, strict=True)
    )
    return {
        "marks": sorted({key_of(mark) for mark in marks if _is_there(vllm, mark)}),
        "failures": sorted(
            {row.code for row in rows if any(words in everything for words in plain_words(row.pattern))}
        ),
        "names": sorted(_names_there(vllm, transformers, ast.parse(CHECK.read_text()))),
    }


def key_of(mark: Mark) -> str:
    """A mark in the list."""
    return f"{mark.module}: {mark.text}"


def plain_words(pattern: str) -> Iterator[str]:
    """The longest run of plain words of each alternative of a pattern."""
    plain = re.sub(r"\(\?i\)", "", pattern)
    plain = re.sub(
        r"\[(?:\\.|[^\]])*\](?:[*+?]|\{[^}]*\})*|\\[wWdDsSb](?:[*+?]|\{[^}]*\})*|\.[*+?]+|\.\{[^}]*\}", "\0", plain
    )
    plain = re.sub(r"\\(.)|\(\?[:!=]|[()?*+]", lambda found: found[1] or "\0", plain)
    for alternative in plain.split("|"):
        longest = max(alternative.split("\0"), key=len).strip()
        if len(longest) >= SHORTEST:
            yield longest


def _is_there(source: ReleaseSource, mark: Mark) -> bool:
    return any(mark.text in _code(source, module) for module in (mark.module, mark.elsewhere) if module)


def _code(source: ReleaseSource, path: str) -> str:
    """Of a module; empty where the release has none of that name."""
    try:
        return source.read(path).decode()
    except (KeyError, OSError):
        return ""


def _joined(source: ReleaseSource, package: str) -> str:
    """All of a package, texts that go on in the next line as one."""
    code = "\n".join(source.read(path).decode() for path in source.paths(package))
    return re.sub(r"[\"']\s*\n\s*[rf]{0,2}[\"']", "", code)


def names_wanted(check: ast.Module) -> dict[str, set[str]]:
    """What check_config.py imports of vLLM and of transformers: names by their modules."""
    found: dict[str, set[str]] = {}
    for node in ast.walk(check):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in PACKAGES:
            found.setdefault(node.module, set()).update(alias.name for alias in node.names)
    return found


def _names_there(vllm: ReleaseSource, transformers: ReleaseSource, check: ast.Module) -> Iterator[str]:
    for module, names in names_wanted(check).items():
        source = vllm if module.startswith("vllm.") else transformers
        path = module.replace(".", "/")
        # What a package only passes on can be imported from it as well.
        for name in names:
            there = rf"^(?:def|class) {name}\b|^from .* import (?:.*\b{name}\b|\([^)]*\b{name}\b)"
            if any(
                re.search(there, _code(source, file), re.MULTILINE) for file in (f"{path}.py", f"{path}/__init__.py")
            ):
                yield f"{module}.{name}"
