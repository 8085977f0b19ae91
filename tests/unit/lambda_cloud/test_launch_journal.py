"""What this computer remembers of launches, so that a run after a killed one launches no second machine."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from components.lambda_cloud.api import launch_journal
from components.lambda_cloud.api.launch_journal import LaunchJournal, LaunchUnderWayError, Note
from tests.support.jumping_clock import JumpingClock
from tests.support.orders import TOKEN


@contextmanager
def _launching_elsewhere(folder: Path) -> Iterator[threading.Event]:
    """Somebody else with a journal of their own is alone with the token until the event is set."""
    began, end = threading.Event(), threading.Event()

    def hold() -> None:
        with LaunchJournal(folder).alone(TOKEN, timeout=1):
            began.set()
            assert end.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    assert began.wait(10)
    try:
        yield end
    finally:
        end.set()
        thread.join()


def test_only_one_launches_with_a_token_and_the_other_hears_why_in_one_line(tmp_path: Path) -> None:
    with (
        _launching_elsewhere(tmp_path),
        pytest.raises(LaunchUnderWayError) as caught,
        LaunchJournal(tmp_path, JumpingClock()).alone(TOKEN, timeout=60),
    ):
        pytest.fail("two were alone with one token")
    assert "run `pulumi up` again" in str(caught.value)
    # By the file whoever reads it finds the process, with `fuser` or `lsof`.
    assert str(tmp_path / TOKEN) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_other_goes_on_as_soon_as_the_first_has_ended(tmp_path: Path) -> None:
    first, clock = LaunchJournal(tmp_path), JumpingClock()
    with ExitStack() as alone:
        alone.enter_context(first.alone(TOKEN, timeout=0))
        clock.at(50, alone.close)
        with LaunchJournal(tmp_path, clock).alone(TOKEN, timeout=60):
            assert sum(clock.slept) == pytest.approx(50, abs=launch_journal.LOOK_AGAIN_S)


def test_launches_with_different_tokens_do_not_wait_for_each_other(tmp_path: Path) -> None:
    with _launching_elsewhere(tmp_path), LaunchJournal(tmp_path).alone("b" * 32, timeout=0):
        pass


def test_an_error_while_alone_lets_the_next_one_in(tmp_path: Path) -> None:
    journal = LaunchJournal(tmp_path)
    with pytest.raises(ZeroDivisionError), journal.alone(TOKEN, timeout=0):
        _ = 1 / 0
    with journal.alone(TOKEN, timeout=0):
        pass


def test_the_next_run_knows_of_a_launch_and_of_its_age(tmp_path: Path) -> None:
    clock = JumpingClock()
    LaunchJournal(tmp_path, clock).note_sent(TOKEN)
    clock.sleep(7.5)
    assert LaunchJournal(tmp_path, clock).last(TOKEN) == Note(age=7.5, is_settled=False)


def test_a_launch_whose_outcome_is_known_is_settled_until_the_next_one(tmp_path: Path) -> None:
    journal = LaunchJournal(tmp_path)
    for note, settled in ((journal.note_sent, False), (journal.note_settled, True), (journal.note_sent, False)):
        note(TOKEN)
        last = LaunchJournal(tmp_path).last(TOKEN)
        assert last is not None
        assert last.is_settled is settled


def test_a_launch_can_be_noted_while_alone(tmp_path: Path) -> None:
    journal = LaunchJournal(tmp_path)
    with journal.alone(TOKEN, timeout=0):
        journal.note_sent(TOKEN)
        with (
            pytest.raises(LaunchUnderWayError),
            LaunchJournal(tmp_path).alone(TOKEN, timeout=0),
        ):
            pytest.fail("the note let go of the lock")
    assert LaunchJournal(tmp_path).last(TOKEN) is not None


def test_a_note_of_another_boot_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    LaunchJournal(tmp_path).note_sent(TOKEN)
    monkeypatch.setattr(launch_journal, "boot_id", lambda: "after a reboot")
    assert LaunchJournal(tmp_path).last(TOKEN) is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"null", b"\xff\xfe", b'{"boot": "x"}'])
def test_a_note_that_cannot_be_read_is_none_and_can_be_written_again(tmp_path: Path, content: bytes) -> None:
    (tmp_path / f"{TOKEN}.json").write_bytes(content)
    journal = LaunchJournal(tmp_path)
    assert journal.last(TOKEN) is None
    journal.note_sent(TOKEN)
    assert LaunchJournal(tmp_path).last(TOKEN) is not None


def test_a_token_that_is_no_more_leaves_nothing_behind(tmp_path: Path) -> None:
    journal = LaunchJournal(tmp_path)
    journal.note_sent(TOKEN)
    journal.forget(TOKEN)
    journal.forget(TOKEN)
    assert journal.last(TOKEN) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["none", "below a file"])
def test_without_a_place_for_notes_the_program_launches_all_the_same_and_knows_its_own(
    tmp_path: Path, place: str
) -> None:
    journal = _without_place(tmp_path, place)
    with journal.alone(TOKEN, timeout=0):
        journal.note_sent(TOKEN)
    last = journal.last(TOKEN)
    assert last is not None
    assert not last.is_settled


@pytest.mark.parametrize("place", ["none", "below a file"])
def test_without_a_place_for_notes_a_token_can_be_forgotten_all_the_same(tmp_path: Path, place: str) -> None:
    journal = _without_place(tmp_path, place)
    journal.note_sent(TOKEN)
    journal.forget(TOKEN)
    assert journal.last(TOKEN) is None


def _without_place(tmp_path: Path, place: str) -> LaunchJournal:
    (tmp_path / "file").touch()
    return LaunchJournal(None if place == "none" else tmp_path / "file" / "launches")
