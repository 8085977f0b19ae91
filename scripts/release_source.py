"""The Python source of a release, in its wheel or where it is installed, read without running any of it."""

import ast
from functools import cache
from pathlib import Path
from typing import Any
from zipfile import ZipFile


class ReleaseSource:
    """Modules of one wheel, or of a folder of installed packages such as `site-packages`."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._wheel = None if place.is_dir() else ZipFile(place)
        self.tree = cache(self._tree)

    def paths(self, package: str) -> list[str]:
        """Every Python file below a package, by its path in the wheel."""
        if self._wheel:
            found = self._wheel.namelist()
        else:
            found = [str(path.relative_to(self._place)) for path in (self._place / package).rglob("*.py")]
        return sorted(path for path in found if path.startswith(f"{package}/") and path.endswith(".py"))

    def read(self, path: str) -> bytes:
        """Content of a file; `KeyError` or `OSError` when it is not there."""
        return self._wheel.read(path) if self._wheel else (self._place / path).read_bytes()

    def assignments(self, path: str) -> dict[str, Any]:
        """The syntax tree of every value that the module gives a name."""
        found: dict[str, Any] = {}
        for statement in self.tree(path).body:
            if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                found[statement.targets[0].id] = statement.value
            elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                found[statement.target.id] = statement.value
        return found

    def find_class(self, module: str, name: str) -> tuple[str, ast.ClassDef]:
        """The module that defines a class, and its syntax tree; a package may only pass the class on."""
        path = self.path_of(module)
        for statement in self.tree(path).body:
            if isinstance(statement, ast.ClassDef) and statement.name == name:
                return module, statement
        for there, names in imports(self.tree(path), module, path.endswith("__init__.py")).items():
            if name in names:
                return self.find_class(there, names[name])
        raise missing(f"class {name} of {module}")

    def path_of(self, module: str) -> str:
        """Path of a module, or of a package's `__init__.py`."""
        base = module.replace(".", "/")
        for path in (f"{base}.py", f"{base}/__init__.py"):
            try:
                self.read(path)
            except (KeyError, OSError):
                continue
            return path
        raise missing(module)

    def _tree(self, path: str) -> ast.Module:
        return ast.parse(self.read(path))


def imports(tree: ast.AST, module: str, is_package: bool) -> dict[str, dict[str, str]]:
    """What is imported from where, also inside functions: module to the names here and there."""
    found: dict[str, dict[str, str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            parts = module.split(".")[: len(module.split(".")) - node.level + is_package] if node.level else []
            there = ".".join([*parts, *([node.module] if node.module else [])])
            found.setdefault(there, {}).update({alias.asname or alias.name: alias.name for alias in node.names})
    return found


def named(assignments: dict[str, Any], name: str) -> Any:
    """One of them; ends the program when the release keeps it elsewhere."""
    if name not in assignments:
        raise missing(name)
    return assignments[name]


def missing(what: str) -> SystemExit:
    """To be raised: a list with a hole would pass for the release's."""
    return SystemExit(f"this release keeps {what} elsewhere: read its source and adapt this script")
