"""Files are written whole or not at all, with their mode, and nothing of a try that failed is left."""

from collections.abc import Callable
from pathlib import Path

import pytest

from components.on_machine.shared.files import replace_file, replace_shared_file
from localcloud import files as local_cloud

WRITERS = [replace_file, replace_shared_file, local_cloud.replace_file]


def mode_of(file: Path) -> int:
    return file.stat().st_mode & 0o777


@pytest.mark.parametrize("write", WRITERS)
def test_a_file_is_replaced_and_nothing_else_is_left(write: Callable[[Path, str], None], tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("old and longer")
    with file.open() as reader:
        write(file, "new")
        assert reader.read() == "old and longer"
    assert file.read_text() == "new"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("write", [replace_file, local_cloud.replace_file])
def test_what_a_killed_program_left_does_not_open_a_secret_to_others(
    write: Callable[[Path, str], None], tmp_path: Path
) -> None:
    left = tmp_path / ".file.new"
    left.write_text("half")
    left.chmod(0o666)
    write(tmp_path / "file", "secret")
    assert mode_of(tmp_path / "file") == 0o600


def test_a_shared_file_can_be_read_by_the_other_machines(tmp_path: Path) -> None:
    replace_shared_file(tmp_path / "file", "for all")
    assert mode_of(tmp_path / "file") == 0o644


@pytest.mark.parametrize("write", [replace_file, replace_shared_file])
def test_a_try_that_fails_leaves_the_old_content_and_no_draft(
    write: Callable[[Path, str], None], tmp_path: Path
) -> None:
    folder = tmp_path / "file"
    folder.mkdir()
    (folder / "content").touch()
    with pytest.raises(OSError, match="file"):
        write(folder, "new")
    assert list(tmp_path.iterdir()) == [folder]
    assert (folder / "content").exists()
