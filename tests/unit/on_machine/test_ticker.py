"""Whoever waits for a swap sees a line every ten seconds, also where there is no stage to tell."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from components.on_machine.service import swap, unit
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


@pytest.mark.parametrize("status", [0, 1])
def test_a_service_that_takes_long_to_stop_is_waited_for_with_ticks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """A `systemctl` that has been waited for twice when it ends; tests/engine/test_swap.py has real ones."""
    waited: list[float] = []

    class Systemctl:
        def __init__(self, words: list[str]) -> None:
            self._pauses = 2 if "restart" in words else 0

        def wait(self, seconds: float) -> int:
            if self._pauses:
                self._pauses -= 1
                waited.append(seconds)
                raise subprocess.TimeoutExpired("systemctl", seconds)
            return status

    @contextmanager
    def begun(words: list[str], **_how: object) -> Iterator[Systemctl]:
        yield Systemctl(words)

    monkeypatch.setattr(subprocess, "Popen", begun)
    ticks: list[int] = []
    assert ServiceUnit(tmp_path, tmp_path).restart(lambda: ticks.append(1)) == (status == 0)
    assert (len(ticks), waited) == (2, [unit.POLL_S] * 2)
