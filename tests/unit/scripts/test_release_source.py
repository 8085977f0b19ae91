"""How a release's source is read."""

from pathlib import Path
from zipfile import ZipFile

import pytest

from scripts.quantisation import of_the_kernels
from scripts.release_source import ReleaseSource, named

FILES = {
    "pack/__init__.py": "from .inner import Given as Passed\n",
    "pack/inner.py": "SIZE: int = 3\nNAMES = ['a']\nclass Given:\n    pass\n",
    "pack/deep/user.py": "from ..inner import Given\n",
}


@pytest.fixture(params=["wheel", "folder"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> ReleaseSource:
    if request.param == "folder":
        for name, text in FILES.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return ReleaseSource(tmp_path)
    with ZipFile(tmp_path / "a.whl", "w") as wheel:
        for name, text in FILES.items():
            wheel.writestr(name, text)
    return ReleaseSource(tmp_path / "a.whl")


def test_a_class_is_found_where_it_is_defined_through_every_name_it_is_passed_on_by(source: ReleaseSource) -> None:
    for module, name in [("pack.inner", "Given"), ("pack", "Passed"), ("pack.deep.user", "Given")]:
        there, definition = source.find_class(module, name)
        assert (there, definition.name) == ("pack.inner", "Given")


def test_every_file_of_a_package_and_every_named_value_is_seen(source: ReleaseSource) -> None:
    assert source.paths("pack") == sorted(FILES)
    assert set(source.assignments("pack/inner.py")) == {"SIZE", "NAMES"}


def test_what_a_release_keeps_elsewhere_ends_the_script_in_one_line(source: ReleaseSource) -> None:
    for look in (
        lambda: source.find_class("pack", "Absent"),
        lambda: source.find_class("pack.absent", "Given"),
        lambda: named(source.assignments("pack/inner.py"), "ABSENT"),
        lambda: of_the_kernels(b"no such message"),
    ):
        with pytest.raises(SystemExit, match=r"^this release keeps .* elsewhere: read its source"):
            look()
