"""Settings are read before there is a program: they know no Pulumi, and of the components only what is below them."""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.unit.settings.test_settings import ROOT

BELOW = (
    "components.dynamic.inputs",
    "components.lambda_cloud.api",
    "components.settings",
    "components.text",
    "components.text.version",
    "components.vllm.release",
)


def imports_of(source: str) -> Iterator[str]:
    """Full names of all that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "a relative import hides what it is of"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_of(name: str, packages: Iterable[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def trespasses(source: str) -> list[str]:
    """Imports of components that are not below the settings."""
    return [name for name in imports_of(source) if is_of(name, ["components"]) and not is_of(name, BELOW)]


def files_behind(name: str) -> Iterator[Path]:
    """Files of this repository that are run when something of this name is imported: its module and all around it."""
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        place = ROOT.joinpath(*parts[:count])
        yield from (file for file in (place / "__init__.py", place.with_suffix(".py")) if file.is_file())


def reached_from(files: Iterable[Path]) -> set[Path]:
    """These files, and what they import of this repository, and so on."""
    reached: set[Path] = set()
    waiting = list(files)
    while waiting:
        if (file := waiting.pop()) not in reached:
            reached.add(file)
            waiting += [behind for name in imports_of(file.read_text()) for behind in files_behind(name)]
    return reached


SETTINGS = sorted((ROOT / "components/settings").rglob("*.py"))


def test_settings_import_only_what_is_below_them() -> None:
    assert len(SETTINGS) > 3
    assert {file.name: found for file in SETTINGS if (found := trespasses(file.read_text()))} == {}


def test_nothing_that_settings_reach_knows_pulumi() -> None:
    reached = reached_from(SETTINGS)
    assert ROOT / "components/lambda_cloud/api/names.py" in reached
    assert ROOT / "components/lambda_cloud/__init__.py" in reached
    knowing = [file for file in reached if any(is_of(name, ["pulumi"]) for name in imports_of(file.read_text()))]
    assert [str(file.relative_to(ROOT)) for file in knowing] == []


@pytest.mark.parametrize(
    "line",
    [
        "import components.machine.host",
        "from components import tls",
        "from components.lambda_cloud.instance.inputs import TagKey",
        "from components.vllm import server",
        "def late():\n    from components.dynamic.provider import Provider",
    ],
)
def test_an_import_from_above_is_found(line: str) -> None:
    assert len(trespasses(line)) == 1


@pytest.mark.parametrize(
    "line",
    ["from components.text.spelling import near", "from components.lambda_cloud.api import names", "import yaml"],
)
def test_an_import_from_below_is_borne(line: str) -> None:
    assert trespasses(line) == []


def test_pulumi_is_found_where_it_is_known() -> None:
    program = reached_from([ROOT / "components/lambda_cloud/instance/resource.py"])
    assert any(is_of(name, ["pulumi"]) for file in program for name in imports_of(file.read_text()))
