"""Programs for a machine as one archive."""

import gc
import io
import tarfile
from pathlib import Path

import pytest

from components.machine.bundle import Bundle


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for path, text in {
        "app/__init__.py": "raise SystemExit\n",
        "app/one/__init__.py": "",
        "app/one/work.py": "print(1)\n",
        "app/one/__pycache__/work.pyc": "x",
        "app/other/data.json": "{}",
        "app/left/out.py": "",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def test_an_archive_has_its_folders_and_packages_around_them_that_do_nothing(root: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(Bundle(root, ["app/one", "app/other"]).archive)) as archive:
        found = {entry.name: archive.extractfile(entry) for entry in archive.getmembers()}
    assert list(found) == ["app/__init__.py", "app/one/__init__.py", "app/one/work.py", "app/other/data.json"]
    around = found["app/__init__.py"]
    assert around is not None
    assert around.read() == b""


def test_the_same_programs_are_the_same_archive_whenever_and_wherever_it_is_made(root: Path) -> None:
    one = Bundle(root, ["app/one", "app/other"])
    (root / "app/one/work.py").touch()
    other = Bundle(root, ["app/other", "app/one"])
    assert (one.hash, one.archive) == (other.hash, other.archive)


def test_a_change_is_one_of_its_folder_and_of_no_other(root: Path) -> None:
    before = Bundle(root, ["app/one", "app/other"])
    assert before.files
    (root / "app/other/data.json").write_text("[]")
    after = Bundle(root, ["app/one", "app/other"])
    assert before.hash != after.hash
    assert before.folder_hash("app/one") == after.folder_hash("app/one")
    assert before.folder_hash("app/other") != after.folder_hash("app/other")
    assert before.folder_hash("app/one", more=["a"]) != before.folder_hash("app/one", more=["b"])


def test_the_file_is_there_for_every_machine_until_it_is_taken_away(root: Path) -> None:
    bundle = Bundle(root, ["app/one"])
    file = bundle.write()
    again = bundle.write()
    gc.collect()
    assert file == again
    assert file.read_bytes() == bundle.archive
    bundle.remove_written()
    assert not file.parent.exists()
    bundle.remove_written()
