"""A HOME that cannot be written and a disk that is full: nothing fails on the notes, and one line says what is lost."""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from components.lambda_cloud.api.account_folder import account_folder, why_no_notes
from components.lambda_cloud.api.launch_journal import LaunchJournal
from components.lambda_cloud.api.limits import Limits, RateLimiter, SharedSchedule
from tests.support.jumping_clock import JumpingClock

URL = "https://cloud.example"


@contextmanager
def full_disk() -> Iterator[None]:
    """No file takes more than 10 bytes; the system's own refusal, which says EFBIG instead of ENOSPC."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_requests_leave_at_their_pace_where_the_disk_is_full(tmp_path: Path) -> None:
    clock = JumpingClock()
    limiter = RateLimiter(Limits(), clock, SharedSchedule(tmp_path / "schedule.json"))
    with full_disk():
        limiter.wait_for_request()
        limiter.wait_for_request()
    assert clock.slept == [Limits().request_interval]


def test_a_launch_is_remembered_by_this_process_where_the_disk_is_full(tmp_path: Path) -> None:
    journal = LaunchJournal(tmp_path / "launches", JumpingClock())
    with full_disk(), journal.alone("token", 0):
        journal.note_sent("token")
    note = journal.last("token")
    assert note
    assert (note.age, note.is_settled) == (0.0, False)


@pytest.mark.parametrize("variable", ["XDG_STATE_HOME", "HOME"])
def test_a_folder_that_cannot_be_made_is_named_with_what_is_lost(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv(variable, str(tmp_path / "file"))
    assert account_folder("key", URL) is None
    line = why_no_notes("key", URL)
    assert line
    assert str(tmp_path / "file") in line
    assert "Not a directory" in line
    assert "XDG_STATE_HOME" in line
    assert "\n" not in line


def test_where_notes_can_be_kept_there_is_nothing_to_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert why_no_notes("key", URL) is None


def test_a_user_without_a_home_gets_no_folder_of_that_name_beside_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", "state")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    assert account_folder("key", URL) is None
    assert why_no_notes("key", URL)
    assert list(tmp_path.iterdir()) == []
