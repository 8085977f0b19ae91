"""The server's log is bounded, begins anew with each start, and never ends the server."""

import os
from pathlib import Path

import pytest

from components.on_machine.service.log_files import LogFiles


def test_each_start_has_a_log_of_its_own_and_a_few_are_kept(tmp_path: Path) -> None:
    log = LogFiles(tmp_path / "logs/vllm.log", most_files=3)
    for start in range(5):
        log.begin()
        log.write(f"start {start}\n".encode())
    kept = {file.name: file.read_text() for file in (tmp_path / "logs").iterdir()}
    assert kept == {"vllm.log": "start 4\n", "vllm.log.1": "start 3\n", "vllm.log.2": "start 2\n"}


def test_a_server_that_writes_without_end_fills_no_disk(tmp_path: Path) -> None:
    log = LogFiles(tmp_path / "vllm.log", most_bytes=1000, most_files=3)
    log.begin()
    for number in range(1000):
        log.write(f"line {number:04}\n".encode())
    files = list(tmp_path.iterdir())
    assert len(files) == 3
    assert all(file.stat().st_size <= 1000 for file in files)
    assert log.path.read_text().endswith("line 0999\n")


def test_another_bound_holds_from_the_next_line_on_without_another_start(tmp_path: Path) -> None:
    wanted = tmp_path / "log-megabytes"
    wanted.write_text("60\n")
    log = LogFiles(tmp_path / "logs/vllm.log", wanted=wanted)
    for _ in range(6):
        log.begin()
        log.write(b"x" * 3_000_000)
    wanted.write_text("6\n")
    os.utime(wanted, ns=(1, 1))
    for _ in range(20):
        log.write(b"y" * 600_000)
        assert sum(file.stat().st_size for file in (tmp_path / "logs").iterdir()) <= 6_000_000
    assert len(list((tmp_path / "logs").iterdir())) == 6


@pytest.mark.parametrize("text", ["", "many", None])
def test_a_bound_that_cannot_be_read_changes_nothing(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "log-megabytes").write_text(text)
    log = LogFiles(tmp_path / "logs/vllm.log", most_bytes=1000, wanted=tmp_path / "log-megabytes")
    log.begin()
    log.write(b"line\n")
    assert log.path.read_bytes() == b"line\n"


def test_the_log_of_a_start_that_failed_is_kept_whatever_starts_after_it(tmp_path: Path) -> None:
    log = LogFiles(tmp_path / "vllm.log", most_files=2)
    log.begin()
    log.write(b"why\n")
    kept = log.keep()
    for _ in range(5):
        log.begin()
    assert kept.read_text() == "why\n"


def test_the_line_with_the_cause_is_the_last_one_of_the_log_of_which_it_tells(tmp_path: Path) -> None:
    log = LogFiles(tmp_path / "vllm.log", most_bytes=10)
    log.begin()
    log.write(b"0123456789")
    log.end_with(b"\nerror: why\n")
    assert log.keep().read_bytes() == b"0123456789\nerror: why\n"


def test_a_place_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file in the place of the folder")
    log = LogFiles(tmp_path / "logs/vllm.log")
    log.begin()
    log.write(b"lost\n")
    assert log.keep() == log.path


def test_a_full_disk_stops_nothing() -> None:
    """/dev/full answers each write as a full disk does."""
    log = LogFiles(Path("/nowhere/vllm.log"))
    with Path("/dev/full").open("wb", buffering=0) as full:
        log._stream = full
        log.write(b"lost\n")
