"""What users read of the settings is what is declared: the schema in Pulumi.yaml, the table in the README."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic.alias_generators import to_camel

from components.settings import KEYS, Settings
from components.settings.settings import SECRETS
from scripts.docs.__main__ import main, outdated
from scripts.docs.declared import declared
from tests.unit.settings.test_settings import ROOT

DEFAULTS = {to_camel(name): field.default for name, field in Settings.model_fields.items()}
NAMES = ("Pulumi.yaml", "README.md")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder with the two files, as they are."""
    for name in NAMES:
        (tmp_path / name).write_text((ROOT / name).read_text())
    return tmp_path


def schema(folder: Path = ROOT) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load((folder / "Pulumi.yaml").read_text())["config"]
    return config


def rows(folder: Path = ROOT) -> dict[str, list[str]]:
    table = (folder / "README.md").read_text().partition("<!-- settings: ")[2].partition("<!-- end of settings -->")[0]
    lines = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in table.splitlines()]
    return {cells[0].strip("`"): cells[1:] for cells in lines if cells and cells[0].startswith("`")}


def test_the_files_are_as_make_docs_would_write_them() -> None:
    assert list(outdated(ROOT)) == [], "run `make docs`"


def test_every_word_says_what_it_means_and_what_holds_without_it() -> None:
    words = [one for group in declared() for one in group.words]
    assert sorted(one.key for one in words) == sorted(KEYS)
    for one in words:
        assert len(one.summary) > 5, one.key
        assert one.word.unset or one.default not in (None, ""), one.key


def test_pulumi_yaml_has_each_word_with_a_default_and_no_secret() -> None:
    """Pulumi refuses a stack that has no value for a word without a default there."""
    wanted = {key: value for key, value in DEFAULTS.items() if value is not None and key not in SECRETS}
    assert {key: entry["default"] for key, entry in schema().items()} == wanted
    assert all(entry["description"] for entry in schema().values())


def test_pulumi_yaml_has_types_where_there_is_only_one() -> None:
    types = {key: entry.get("type") for key, entry in schema().items()}
    assert (types["port"], types["buildTriton"], types["tags"]) == ("integer", "boolean", "object")
    assert schema()["regions"]["items"] == {"type": "string"}
    assert {types[key] for key in ("maxModelLen", "cpuOffloadGb", "modelRevision")} == {None}


def test_the_readme_has_a_row_for_each_word_with_default_and_meaning() -> None:
    assert sorted(rows()) == sorted(KEYS)
    assert rows()["port"][0] == "8000"
    assert rows()["regions"][0] == "`[us-east-3]`"
    assert rows()["maxPricePerHour"][0] == "no limit"
    for key, (default, meaning) in rows().items():
        assert default, key
        assert meaning, key
        assert ("--secret" in meaning) == (key in SECRETS), key


def test_links_in_the_table_lead_to_files_that_there_are() -> None:
    links = re.findall(r"\]\(([^)#]+)", " ".join(meaning for _, meaning in rows().values()))
    assert links
    assert [link for link in links if not (ROOT / link).is_file()] == []


def test_what_stands_around_is_left_alone(copy: Path) -> None:
    project, readme = ((copy / name).read_text() for name in NAMES)
    (copy / "Pulumi.yaml").write_text(f"{project}plugins: {{}}\n")
    (copy / "README.md").write_text(f"before\n{readme}after\n")
    assert main(copy) == 0
    assert (copy / "Pulumi.yaml").read_text() == f"{project}plugins: {{}}\n"
    assert (copy / "README.md").read_text() == f"before\n{readme}after\n"


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("Pulumi.yaml", "default: 8000", "default: 8001"),
        ("Pulumi.yaml", "  tls:\n", "  tlss:\n"),
        ("README.md", "| 8000 |", "| 8001 |"),
        ("README.md", "| `tls` |", "| `tlss` |"),
    ],
)
def test_a_file_that_says_something_else_is_put_right_and_named(
    copy: Path, capsys: pytest.CaptureFixture[str], name: str, old: str, new: str
) -> None:
    right = (copy / name).read_text()
    assert old in right
    (copy / name).write_text(right.replace(old, new))
    assert list(outdated(copy)) == [name]
    assert main(copy) == 0
    assert capsys.readouterr().out == f"{name}: written\n"
    assert (copy / name).read_text() == right
    assert outdated(copy) == {}


@pytest.mark.parametrize(
    ("name", "place"), [("Pulumi.yaml", "\nconfig:"), ("README.md", "<!-- settings: "), ("README.md", "<!-- end of")]
)
def test_a_file_without_a_place_is_named_and_nothing_is_written(
    copy: Path, capsys: pytest.CaptureFixture[str], name: str, place: str
) -> None:
    (copy / name).write_text(without := (copy / name).read_text().replace(place, "\nother:"))
    assert main(copy) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"docs: {name}: ")
    assert len(told.splitlines()) == 1
    assert (copy / name).read_text() == without
