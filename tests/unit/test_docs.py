"""What the pages say of this repository is there: paths, links, modules, names, and the picture of the layers."""

import ast
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import pytest

from scripts.architecture.__main__ import PICTURE, drawn, main
from scripts.architecture.graph import NOT_DRAWN, levels, without_those_that_follow
from scripts.architecture.imports import FOLDERS, Code
from scripts.architecture.rooms import PAGE, ROOT, read_house

# Not those of tools, such as the one in .pytest_cache, which is there or not.
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *ROOT.glob("[!.]*/README.md")])
CODE = Code(ROOT)
PROGRAMS = {Path(path).name for path in CODE.texts} | {
    file.name for folder in FOLDERS for file in (ROOT / folder).rglob("*.sh")
}
SVG = "{http://www.w3.org/2000/svg}"
PATH = re.compile(rf"(?<![\w./~-])(?:{'|'.join((*FOLDERS, 'docs'))})/[\w./*-]*[\w*/]")
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
MODULE = re.compile(rf"python3? -m ((?:{'|'.join(FOLDERS)})[\w.]*)")


def test_the_picture_is_as_make_docs_would_draw_it() -> None:
    picture = (ROOT / PICTURE).read_text()
    assert picture == drawn(ROOT), "run `make docs`"
    assert ElementTree.fromstring(picture).get("width") == "900"
    assert f"]({Path(PICTURE).name})" in (ROOT / PAGE).read_text()


def test_every_room_is_in_the_picture_and_none_is_over_another() -> None:
    picture = ElementTree.fromstring((ROOT / PICTURE).read_text())
    names = {text.text for text in picture.iter(f"{SVG}text") if text.get("class") == "name"}
    rooms = [room.path for room in read_house().rooms if room.path not in NOT_DRAWN]
    assert names == {path.removeprefix("components/") for path in rooms}
    boxes = [
        box for box in picture.iter(f"{SVG}rect") if str(box.get("class")).startswith("room") and box.get("rx") == "6"
    ]
    edges = [tuple(int(str(box.get(side))) for side in ("x", "y", "width", "height")) for box in boxes]
    assert len(edges) == len(rooms)
    assert all(x >= 0 and x + width <= 900 for x, _, width, _ in edges)
    over = [
        (one, other)
        for one, other in combinations(edges, 2)
        if abs(one[0] - other[0]) < one[2] and abs(one[1] - other[1]) < one[3]
    ]
    assert over == []


def test_an_arrow_that_follows_from_others_is_left_out_and_all_lead_down() -> None:
    edges = {("top", "middle"), ("middle", "low"), ("top", "low"), ("other", "low")}
    assert without_those_that_follow(edges) == edges - {("top", "low")}
    level = levels(["top", "middle", "low", "other"], edges)
    assert level == {"top": 2, "middle": 1, "low": 0, "other": 1}


def test_a_picture_of_before_is_told_with_check_and_drawn_without(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in (PAGE, PICTURE, *(path for path in CODE.texts if path.startswith("components/"))):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text((ROOT / name).read_text())
    before = (tmp_path / PICTURE).read_text()
    assert main(["--check"], tmp_path) == 1
    assert capsys.readouterr().err == f"architecture: {PICTURE}: not what the code says, run `make docs`\n"
    assert (tmp_path / PICTURE).read_text() == before
    assert main([], tmp_path) == 0
    assert main(["--check"], tmp_path) == 0


def test_a_page_without_the_table_is_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / PAGE).write_text("# Architecture\n")
    assert main([], tmp_path) == 1
    assert re.fullmatch(rf"architecture: {PAGE}: the table of the rooms.*\n", capsys.readouterr().err)


def is_there(path: str) -> bool:
    """Whether a path, or anything that a pattern stands for, is in the repository."""
    return any(ROOT.glob(path)) if "*" in path else (ROOT / path).exists()


def missing_paths(text: str) -> list[str]:
    return [path for path in PATH.findall(text) if not is_there(path)]


def missing_files(text: str) -> list[str]:
    """Names of programs without their folder that no file of this repository has."""
    named = {word for code in INLINE.findall(text) for word in re.findall(r"(?<![\w./~*-])[\w-]+\.(?:py|sh)\b", code)}
    return sorted(named - PROGRAMS)


def missing_modules(text: str) -> list[str]:
    """Of commands `python -m MODULE`."""
    places = {name: name.replace(".", "/") for name in MODULE.findall(text)}
    return [name for name, at in places.items() if not {f"{at}.py", f"{at}/__main__.py"} & CODE.texts.keys()]


def missing_links(page: Path, text: str) -> Iterator[str]:
    for link in LINK.findall(text):
        target, _, anchor = link.partition("#")
        file = (page.parent / target) if target else page
        if "://" in link:
            continue
        if not file.exists() or (anchor and anchor not in anchors(file.read_text())):
            yield link


def anchors(text: str) -> set[str]:
    """Of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def missing_imports(text: str) -> Iterator[str]:
    """Names of this repository that a program in a page imports and that are not there."""
    for language, program in BLOCK.findall(text):
        if language != "python":
            continue
        for one in CODE.imports_of("page.py", program):
            if one.package in FOLDERS and not defines(one.target, one.name.rpartition(".")[2]):
                yield one.name


def defines(path: str, name: str) -> bool:
    """Whether a module has a name at its top, or is the module of this name."""
    if Path(path).stem == name or Path(path).parent.name == name:
        return True
    tree = ast.parse(CODE.texts.get(path, ""))
    return any(getattr(node, "name", "") == name for node in tree.body)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_names_of_this_repository_is_there(page: Path) -> None:
    text = page.read_text()
    found = {
        "paths": missing_paths(text),
        "files": missing_files(text),
        "modules": missing_modules(text),
        "links": list(missing_links(page, text)),
        "imports": list(missing_imports(text)),
    }
    assert {kind: names for kind, names in found.items() if names} == {}


def test_what_is_not_there_is_found() -> None:
    assert missing_paths("see `components/vllm/scripts` and scripts/setup.sh") == ["components/vllm/scripts"]
    assert missing_files("`job.sh`, and `guard.py`, and `*.py`") == ["job.sh"]
    assert missing_modules("python -m components.cloud.client\npython -m ops") == ["components.cloud.client"]
    assert list(missing_links(ROOT / "README.md", "[a](docs/ops.md#chat) [b](docs/ops.md#none) [c](none.md)")) == [
        "docs/ops.md#none",
        "none.md",
    ]
    program = "```python\nfrom components.lambda_cloud.lookups import account, nothing\n```\n"
    assert list(missing_imports(program)) == ["components.lambda_cloud.lookups.nothing"]
