"""How uv is called, and what is said while it works."""

import subprocess
from pathlib import Path

import pytest

from components.on_machine.install.environment import pip_words, progress, wait_telling, written_mb


class Played:
    """A process that ends after some pauses."""

    def __init__(self, pauses: int, status: int) -> None:
        self._pauses, self._status = pauses, status
        self.waited: list[float | None] = []

    def wait(self, timeout: float | None = None) -> int:
        self.waited.append(timeout)
        if len(self.waited) <= self._pauses:
            raise subprocess.TimeoutExpired("uv", timeout or 0)
        return self._status


@pytest.mark.parametrize("status", [0, 2])
def test_something_is_told_after_each_pause_until_the_process_ends(status: int) -> None:
    told: list[str] = []
    worker = Played(pauses=3, status=status)
    assert wait_telling(worker, lambda: told.append("told"), 10.0) == status
    assert (len(told), worker.waited) == (3, [10.0] * 4)


def test_progress_says_how_much_is_unpacked() -> None:
    assert progress("0.32.0", 1234, 8300, 20.7) == "installing vLLM 0.32.0: 1.2 of at most 8.3 GB unpacked, 20 s"


def test_how_much_is_unpacked_is_what_the_kernel_counts(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7/io").write_text("rchar: 5\nwchar: 1234999999\nsyscr: 1\nwrite_bytes: 0\n")
    assert written_mb(7, tmp_path) == 1234
    assert written_mb(8, tmp_path) is None


@pytest.mark.parametrize(("cores", "compiled"), [(64, True), (16, True), (15, False), (2, False)])
def test_a_machine_with_many_cores_compiles_bytecode_that_its_first_start_would_wait_for(
    cores: int, compiled: bool
) -> None:
    assert ("--compile-bytecode" in pip_words(Path("venv"), Path("lock.txt"), cores)) is compiled


def test_only_what_the_lock_names_is_installed_with_its_hashes() -> None:
    assert pip_words(Path("venv"), Path("lock.txt"), 2) == [
        *("pip", "install", "--python", "venv/bin/python"),
        *("--no-deps", "--no-build", "--require-hashes", "--requirement", "lock.txt"),
    ]
