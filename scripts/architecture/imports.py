"""What modules import, read from their text: nothing is run."""

import ast
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDERS = ("benchmarks", "components", "examples", "localcloud", "ops", "scripts", "tests")
FILES = ("__main__.py", "entry_point.py")


@dataclass(frozen=True)
class Import:
    """One name that a module imports, wherever in it, from this repository or from elsewhere."""

    path: str
    """Of the file that imports."""
    line: int
    name: str
    """In full, such as `components.text.counted.counted`."""
    target: str
    """Path of the file in this repository that it is in; empty for what is from elsewhere."""

    @property
    def package(self) -> str:
        """The first part of its name."""
        return self.name.partition(".")[0]


class Code:
    """All Python files of this repository, with what they import."""

    def __init__(self, root: Path) -> None:
        self.texts = {path: (root / path).read_text() for path in sorted(_paths(root))}
        self._imports: dict[str, list[Import]] = {}

    def imports(self, path: str) -> list[Import]:
        """Of one file, in the order of its lines."""
        if path not in self._imports:
            self._imports[path] = list(self.imports_of(path, self.texts[path]))
        return self._imports[path]

    def imports_of(self, path: str, text: str) -> Iterator[Import]:
        """Of a text, as if it were the file at `path`."""
        for line, name in _imported(path, text):
            yield Import(path, line, name, self.file_of(name))

    def file_of(self, name: str) -> str:
        """The file that holds a name in full: the longest beginning that is a module."""
        parts = name.split(".")
        for count in range(len(parts), 0, -1):
            place = "/".join(parts[:count])
            for path in (f"{place}.py", f"{place}/__init__.py"):
                if path in self.texts:
                    return path
        return ""

    def needed(self, path: str) -> set[str]:
        """Files of this repository that are run when this one is imported: what it names, and the packages around."""
        targets = [path, *(one.target for one in self.imports(path) if one.target)]
        around = (f"{folder}/__init__.py" for target in targets for folder in Path(target).parents)
        return {*targets, *(package for package in around if package in self.texts)} - {path}

    def reaching(self, package: str) -> dict[str, str]:
        """Files that import a package of others, by themselves or through others; with the next one on the way."""
        needing: dict[str, list[str]] = {path: [] for path in self.texts}
        for path in self.texts:
            for needed in self.needed(path):
                needing[needed].append(path)
        found = {path: path for path in self.texts if any(one.package == package for one in self.imports(path))}
        waiting = list(found)
        while waiting:
            reached = waiting.pop()
            news = [path for path in needing[reached] if path not in found]
            found |= dict.fromkeys(news, reached)
            waiting += news
        return found


@cache
def _imported(path: str, text: str) -> tuple[tuple[int, str], ...]:
    """Lines and names in full. Parsing takes longest of all, and the same files are looked at for several questions."""
    return tuple(
        (node.lineno, name)
        for node in _statements(ast.parse(text))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in _names(path, node)
    )


def _statements(around: ast.AST) -> Iterator[ast.AST]:
    """All statements below one, also in functions; expressions, which are most of a tree, hold none."""
    for name in ("body", "handlers", "cases", "orelse", "finalbody"):
        for statement in getattr(around, name, ()):
            yield statement
            yield from _statements(statement)


def _names(path: str, node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    around = Path(path).parts[: -node.level] if node.level else ()
    module = ".".join((*around, *filter(None, [node.module])))
    return [f"{module}.{alias.name}" for alias in node.names]


def _paths(root: Path) -> Iterator[str]:
    yield from (name for name in FILES if (root / name).is_file())
    for name in FOLDERS:
        # Links are not followed: the examples have one to `components`.
        for folder, _, files in os.walk(root / name):
            yield from (str((Path(folder) / file).relative_to(root)) for file in files if file.endswith(".py"))
