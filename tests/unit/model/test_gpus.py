"""What each instance type of the catalogue has for a model."""

import pytest

from components.model.sizing.gpus import machine_size
from localcloud.account.catalogue import INSTANCE_TYPES
from tests.support.models.catalogue_sizes import A10, A100, B200, GH200, H100, answered, machine


@pytest.mark.parametrize("name", [name for name, row in INSTANCE_TYPES.items() if row.gpus])
def test_every_gpu_of_the_catalogue_is_known(name: str) -> None:
    row = INSTANCE_TYPES[name]
    size = machine(name)
    assert (size.name, size.gpus, size.host_memory_gib) == (name, row.gpus, row.memory_gib)
    named = int(row.description.split("(")[1].split(" GB")[0])
    assert 0.9 * named <= size.gpu.memory_gib <= 1.01 * named


def test_a_machine_without_a_gpu_has_no_size() -> None:
    assert machine_size(answered("cpu_4x_general")) is None


def test_a_gpu_that_is_not_known_has_no_size() -> None:
    assert machine_size(answered("gpu_1x_a10").model_copy(update={"gpu_description": "R300 (512 GB)"})) is None


def test_the_description_serves_where_the_gpu_is_not_described() -> None:
    assert machine_size(answered("gpu_8x_a100").model_copy(update={"gpu_description": ""})) == machine("gpu_8x_a100")


def test_only_the_gh200_has_a_link_that_is_fast_enough_to_offload() -> None:
    fast = [name for name, row in INSTANCE_TYPES.items() if row.gpus and machine(name).gpu.has_fast_link]
    assert fast == ["gpu_1x_gh200"]


def test_number_formats_follow_the_generation() -> None:
    turing = machine("gpu_1x_rtx6000")
    sizes = (turing, A10, A100, H100, GH200, B200)
    assert [size.gpu.has_bf16 for size in sizes] == [False, True, True, True, True, True]
    assert [size.gpu.has_fp8 for size in sizes] == [False, False, False, True, True, True]
    assert [size.gpu.has_fp4 for size in sizes] == [False, False, False, False, False, True]
