"""Every start is written down, and the last one that served is found again."""

from pathlib import Path

import pytest

from components.on_machine.service import timeline
from components.on_machine.service.timeline import Timeline


def test_the_last_start_that_served_is_found_by_setting_or_model(tmp_path: Path) -> None:
    lines = Timeline(tmp_path / "timeline.jsonl")
    lines.add(key="1", model="a/b", start=10.0, result="served")
    lines.add(key="2", model="a/b", start=20.0, result="fell back")
    lines.add(key="3", model="c/d", start=30.0, result="served")
    last = lines.last(model="a/b")
    assert last is not None
    assert (last["key"], last["start"]) == ("1", 10.0)
    assert lines.last("2") is None
    assert (lines.last("3") or {})["at"].endswith("+00:00")


def test_a_line_that_was_cut_off_is_passed_over(tmp_path: Path) -> None:
    lines = Timeline(tmp_path / "timeline.jsonl")
    lines.add(key="1", result="served")
    with (tmp_path / "timeline.jsonl").open("a") as stream:
        stream.write('{"key": "1", "res\n')
    assert lines.last("1")


def test_it_does_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "MOST_BYTES", 2000)
    lines = Timeline(tmp_path / "timeline.jsonl")
    for number in range(100):
        lines.add(key=str(number), result="served")
    assert (tmp_path / "timeline.jsonl").stat().st_size <= 2100
    assert lines.last("99")
    assert lines.last("0") is None
