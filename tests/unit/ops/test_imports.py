"""`ops` is for whoever uses a stack: it does not need the developer's set-up."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.support.pulumi_cli import REPOSITORY

OTHERS = {"localcloud", "scripts", "tests"}


def imported(file: Path) -> Iterator[str]:
    """What a file names in its imports, wherever they stand in it: modules, and names that may be modules."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def reached(names: list[str]) -> dict[str, Path]:
    """All modules of this repository that the packages import, directly or through others, by name."""
    found: dict[str, Path] = {}
    waiting = names
    while waiting:
        name = waiting.pop()
        place = REPOSITORY / name.replace(".", "/")
        file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
        if name not in found and file.exists():
            found[name] = file
            waiting += [*imported(file), name.rpartition(".")[0]]
    return found


def test_nothing_of_the_tests_the_developers_set_up_or_the_local_cloud_is_imported() -> None:
    modules = reached([f"ops.{file.stem}" for file in (REPOSITORY / "ops").glob("*.py")])
    assert "components.machine.ssh_tunnel" in modules
    assert sorted(name for name in modules if name.partition(".")[0] in OTHERS) == []
