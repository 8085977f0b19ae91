"""Whether the disk can hold what is installed, before anything is downloaded."""

import os
from pathlib import Path

import pytest

from components.on_machine.install.disk import check_disk, used_mb
from components.on_machine.shared.work import WorkError


def write(file: Path, megabytes: int) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(os.urandom(megabytes * 1024 * 1024))
    return file


def test_a_disk_that_cannot_hold_it_is_told_in_gigabytes(tmp_path: Path) -> None:
    with pytest.raises(WorkError) as told:
        check_disk(8300, tmp_path, [tmp_path / "venv"], free=lambda _: 3000)
    assert str(told.value) == "3.0 GB free on the machine's disk, vLLM needs 9.3 GB"
    assert told.value.code == "disk-full"


def test_a_disk_that_can_hold_it_is_fine_with_some_to_spare(tmp_path: Path) -> None:
    check_disk(8300, tmp_path, [], free=lambda _: 9300)
    with pytest.raises(WorkError):
        check_disk(8300, tmp_path, [], free=lambda _: 9299)


def test_what_an_earlier_attempt_brought_counts_when_the_disk_is_nearly_full(tmp_path: Path) -> None:
    write(tmp_path / "venv/lib/torch.so", 2)
    write(tmp_path / "cache/uv/torch.so", 3)
    brought = [tmp_path / "venv", tmp_path / "cache"]
    check_disk(4, tmp_path, brought, free=lambda _: 999)
    with pytest.raises(WorkError, match=r"1\.0 GB free on the machine's disk, vLLM needs 1\.0 GB"):
        check_disk(6, tmp_path, brought, free=lambda _: 1000)


def test_files_that_the_cache_and_the_environment_share_count_once(tmp_path: Path) -> None:
    cached = write(tmp_path / "cache/torch.so", 4)
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv/torch.so").hardlink_to(cached)
    (tmp_path / "venv/libtorch.so").symlink_to("torch.so")
    both = used_mb([tmp_path / "cache", tmp_path / "venv"])
    assert both == used_mb([tmp_path / "venv"]) == 4
    assert used_mb([tmp_path / "nothing"]) == 0
