"""Keys lie on the disk no longer than the command that needs them, or than the next one where that was killed."""

import fcntl
import os
import tempfile
from pathlib import Path

import pytest

from ops.private_folder import private_folder


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def left_by_a_killed_command(temporary: Path) -> Path:
    folder = temporary / "lambda-vllm-ops-killed"
    folder.mkdir()
    (folder / "key").write_text("secret")
    (folder / "lock").touch()
    return folder


def test_a_folder_is_the_users_alone_and_goes_in_the_end(temporary: Path) -> None:
    with private_folder() as folder:
        (folder / "key").write_text("secret")
        assert folder.stat().st_mode & 0o777 == 0o700
    assert list(temporary.iterdir()) == []


def test_what_a_killed_command_left_goes_with_the_next_one(temporary: Path) -> None:
    left = left_by_a_killed_command(temporary)
    with private_folder():
        assert not left.exists()


def test_the_folder_of_a_command_that_runs_stays(temporary: Path) -> None:
    with private_folder() as one:
        with private_folder() as other:
            assert one.exists()
            assert one != other
        assert one.exists()


def test_a_folder_that_is_just_being_made_stays(temporary: Path) -> None:
    left = left_by_a_killed_command(temporary)
    (left / "lock").rename(left / "lock.new")
    with private_folder():
        assert left.exists()


def test_nothing_but_such_folders_is_taken_away(temporary: Path) -> None:
    home = temporary / "home"
    home.mkdir()
    (home / "lock").touch()
    (temporary / "lambda-vllm-ops-link").symlink_to(home)
    with private_folder():
        assert (home / "lock").exists()


def test_what_anybody_may_put_there_stops_nobody(temporary: Path) -> None:
    other = temporary / "lambda-vllm-ops-other"
    other.mkdir()
    os.mkfifo(other / "lock")
    link = temporary / "lambda-vllm-ops-link"
    link.mkdir()
    (temporary / "file").touch()
    (link / "lock").symlink_to(temporary / "file")
    with private_folder():
        assert other.exists()
        assert link.exists()


def test_a_lock_of_another_kind_disturbs_nobody(temporary: Path) -> None:
    left = left_by_a_killed_command(temporary)
    with (left / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        with private_folder():
            assert left.exists()
