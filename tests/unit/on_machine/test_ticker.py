"""Whoever waits for a swap sees a line every ten seconds, also where there is no stage to tell."""

from pathlib import Path

import pytest

from components.on_machine.service import swap
from components.on_machine.service.unit import ServiceUnit


def test_a_line_comes_every_ten_seconds_and_says_how_long_it_has_been(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = 1000.0
    monkeypatch.setattr(swap, "now", lambda: clock)
    ticker = swap.Ticker("stopping the old server")
    for _ in range(250):
        clock += 0.1
        ticker.tick()
    assert capsys.readouterr().out == "10 s: stopping the old server\n20 s: stopping the old server\n"


def test_a_service_that_takes_long_to_stop_is_waited_for_with_ticks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A `systemctl` that ends when it has been waited for twice."""
    program = tmp_path / "bin/systemctl"
    program.parent.mkdir()
    waits = "until [ -e waited ]; do sleep 0.05; done"
    program.write_text(f'#!/bin/sh\nif [ "$2" = restart ]; then {waits}; fi\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)
    ticks = []

    def tick() -> None:
        ticks.append(1)
        if len(ticks) == 2:
            Path("waited").touch()

    assert ServiceUnit(tmp_path, tmp_path).restart(tick)
    assert len(ticks) >= 2
