"""What the machine remembers of what was done to it."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from components.on_machine.shared import manifest


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "manifest.json"


def test_a_thing_is_done_only_with_the_very_key_it_was_recorded_with(file: Path) -> None:
    assert not manifest.is_recorded(file, "install", "lock-1")
    manifest.record(file, "install", "lock-1", {})
    assert manifest.is_recorded(file, "install", "lock-1")
    assert not manifest.is_recorded(file, "install", "lock-2")
    assert not manifest.is_recorded(file, "weights", "lock-1")


def test_recording_one_section_leaves_the_others(file: Path) -> None:
    manifest.record(file, "install", "a", {"torch": "2.13.0"})
    manifest.record(file, "weights", "b", {"bytes": 16_060_522_240})
    manifest.record(file, "install", "c", {})
    assert manifest.is_recorded(file, "weights", "b")
    sections = manifest.read(file)
    assert sections["weights"]["bytes"] == 16_060_522_240
    assert "torch" not in sections["install"]
    assert sections["install"]["time"].endswith("+00:00")


def test_writers_beside_each_other_lose_nothing(file: Path) -> None:
    names = [f"section-{number}" for number in range(24)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: manifest.record(file, name, "key", {}), names))
    assert sorted(manifest.read(file)) == sorted(names)


@pytest.mark.parametrize("damage", ["", '{"install": {"key"', "[]", "null", '{"install": "text"}'])
def test_a_damaged_manifest_is_as_one_that_says_nothing(file: Path, damage: str) -> None:
    file.parent.mkdir()
    file.write_text(damage)
    assert not manifest.is_recorded(file, "install", "key")
    manifest.record(file, "install", "key", {})
    assert manifest.is_recorded(file, "install", "key")


def test_a_write_that_fails_keeps_what_was_there(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest.record(file, "install", "old", {})

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        manifest.record(file, "install", "new", {})
    assert manifest.is_recorded(file, "install", "old")


def test_what_is_forgotten_is_to_be_done_again(file: Path) -> None:
    manifest.record(file, "server", "key", {})
    manifest.forget(file, "server")
    manifest.forget(file, "server")
    assert not manifest.is_recorded(file, "server", "key")
