"""Wheels that are kept: whole, or not at all."""

import shutil
from pathlib import Path

import pytest

from components.on_machine.install.source.wheels import Shelf

KEY = "v0.32.0-sm9.0"


@pytest.fixture
def built(tmp_path: Path) -> Path:
    folder = tmp_path / "built"
    folder.mkdir()
    (folder / "vllm-0.32.0-py3-none-any.whl").write_bytes(b"compiled")
    (folder / "build.log").touch()
    return folder


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return shelf_of(tmp_path, "machine")


def shelf_of(tmp_path: Path, machine: str) -> Shelf:
    (tmp_path / machine).mkdir()
    return Shelf(tmp_path / "wheels", KEY, tmp_path / machine)


def test_what_was_kept_is_there_with_its_commit_and_nothing_besides(shelf: Shelf, built: Path) -> None:
    assert not shelf.is_kept()
    shelf.keep(built, "4f2a")
    assert shelf.is_kept()
    assert shelf.commit == "4f2a"
    names = {file.name for file in shelf.folder.iterdir()}
    assert names == {"vllm-0.32.0-py3-none-any.whl", "commit", "SHA256SUMS"}
    assert [folder.name for folder in shelf.wheels.iterdir()] == [KEY]


@pytest.mark.parametrize("file", ["vllm-0.32.0-py3-none-any.whl", "commit", "SHA256SUMS"])
@pytest.mark.parametrize("content", [None, "", "other"])
def test_whatever_is_damaged_is_thrown_away(
    file: str, content: str | None, shelf: Shelf, built: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shelf.keep(built, "4f2a")
    (shelf.folder / file).unlink()
    if content is not None:
        (shelf.folder / file).write_text(content)
    assert not shelf.is_kept()
    assert "is damaged: building it again" in capsys.readouterr().out
    assert not shelf.folder.exists()


def test_the_wheel_of_the_machine_that_was_faster_stays(shelf: Shelf, built: Path, tmp_path: Path) -> None:
    shelf.keep(built, "first")
    shelf_of(tmp_path, "other").keep(built, "second")
    assert shelf.is_kept()
    assert shelf.commit == "first"
    assert [folder.name for folder in shelf.wheels.iterdir()] == [KEY]


def test_what_a_machine_left_half_is_its_own_to_throw_away(
    tmp_path: Path, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = shelf_of(tmp_path, "first"), shelf_of(tmp_path, "second")
    with monkeypatch.context() as killed, pytest.raises(KeyboardInterrupt):
        killed.setattr(shutil, "copyfile", interrupt)
        first.keep(built, "first")
    assert not first.is_kept()
    second.keep(built, "second")
    assert len(list(first.wheels.iterdir())) == 2
    first.keep(built, "first")
    assert [folder.name for folder in first.wheels.iterdir()] == [KEY]
    assert first.commit == "second"


def interrupt(source: Path, target: Path) -> None:
    raise KeyboardInterrupt


def test_a_shelf_that_cannot_be_written_is_said_and_no_reason_to_fail(
    shelf: Shelf, built: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shelf.wheels.write_text("a file in its place")
    shelf.keep(built, "4f2a")
    assert "cannot be kept" in capsys.readouterr().out
    assert not shelf.is_kept()
