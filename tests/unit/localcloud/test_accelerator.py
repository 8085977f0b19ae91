"""Profiles of accelerators, and what is said of those that cannot be used."""

from pathlib import Path

import pytest

from localcloud.errors import LocalCloudError
from localcloud.machines.accelerator import NONE, profiles, read_accelerator

GIVEN = {
    "name": '"NVIDIA A10"',
    "memory_mib": "23028",
    "compute_capability": '"8.6"',
    "driver_version": '"570.1"',
    "cuda_version": '"12.8"',
}


def written(folder: Path, **changes: str | None) -> str:
    given = {name: value for name, value in {**GIVEN, **changes}.items() if value is not None}
    file = folder / "profile.toml"
    file.write_text("".join(f"{name} = {value}\n" for name, value in given.items()))
    return str(file)


@pytest.mark.parametrize("name", profiles())
def test_every_profile_that_comes_along_is_complete(name: str) -> None:
    accelerator = read_accelerator(name)
    assert accelerator is not None
    assert (accelerator.failure is None) == (accelerator.exit_status == 0)


def test_none_is_no_accelerator() -> None:
    assert read_accelerator(NONE) is None


def test_a_file_is_as_good_as_a_profile(tmp_path: Path) -> None:
    accelerator = read_accelerator(written(tmp_path))
    assert accelerator is not None
    assert (accelerator.name, accelerator.memory_mib) == ("NVIDIA A10", 23028)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"memory_mib": None}, "memory_mib: Field required", id="missing"),
        pytest.param({"memory_mib": "0"}, "memory_mib: Input should be greater than 0", id="no-memory"),
        pytest.param({"compute_capability": "8.6"}, "compute_capability: Input should be a valid string", id="number"),
        pytest.param({"memory": "1"}, "memory: Extra inputs are not permitted", id="unknown"),
        pytest.param({"name": "["}, "cannot be read: Invalid", id="no-toml"),
    ],
)
def test_a_file_that_does_not_say_what_it_has_to_is_named_with_the_place(
    tmp_path: Path, changes: dict[str, str | None], said: str
) -> None:
    with pytest.raises(LocalCloudError) as refused:
        read_accelerator(written(tmp_path, **changes))
    assert "profile.toml" in str(refused.value)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_unknown_profile_is_answered_with_those_there_are() -> None:
    with pytest.raises(LocalCloudError, match=r"neither a profile \(none, .*gh200-570, .*\) nor a file"):
        read_accelerator("gh300")
