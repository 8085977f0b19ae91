"""The locks are what the registry has: uv, of the machine's version, would install each on its machine."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from components.vllm.release.install.versions import LOCKS, TOOLS
from scripts.locks.targets import Target, targets

TARGETS = targets()


def uv(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """uv as it ended, with what it prints."""
    return subprocess.run(
        [sys.executable, "-m", "uv", "tool", "run", "--quiet", "--from", f"uv=={TOOLS['uv']}", "uv", *words],
        cwd=folder,
        env={**os.environ, "UV_NO_PROGRESS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.fixture(scope="module", autouse=True)
def registry(tmp_path_factory: pytest.TempPathFactory) -> None:
    """There is a registry that uv can reach; a small package tells."""
    asked = uv(tmp_path_factory.mktemp("uv"), "pip", "install", "--dry-run", "--target", "t", "--no-deps", "six")
    if asked.returncode != 0:
        pytest.skip(f"no package registry within reach of {socket.gethostname()}: {asked.stderr.strip()[-200:]}")


@pytest.mark.parametrize(
    ("target", "python"),
    [(target, python) for target in TARGETS for python in target.pythons],
    ids=lambda value: value.name if isinstance(value, Target) else value,
)
def test_every_package_of_a_lock_is_there_for_every_python_of_its_machine(
    target: Target, python: str, tmp_path: Path
) -> None:
    lock = LOCKS / f"{target.name}.txt"
    done = uv(
        tmp_path,
        *("pip", "install", "--dry-run", "--target", "t", "--no-deps", "--no-build", "--require-hashes"),
        *("--python-platform", target.platform, "--python-version", python, "--requirement", str(lock)),
    )
    assert done.returncode == 0, done.stderr
    count = sum(not line.startswith("#") for line in lock.read_text().splitlines())
    assert f"Would install {count} packages" in done.stderr


def test_a_package_that_is_not_the_one_that_was_locked_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lock.txt").write_text(f"six==1.17.0 --hash=sha256:{'0' * 64}\n")
    done = uv(tmp_path, "pip", "install", "--target", "t", "--no-deps", "--require-hashes", "--requirement", "lock.txt")
    assert done.returncode != 0
    assert "Hash mismatch" in done.stderr
