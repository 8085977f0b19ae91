"""The accelerator that a `process` machine says it has."""

import shutil
from pathlib import Path

import pytest

from localcloud.machines.accelerator import Accelerator, read_accelerator
from tests.support.customer import Customer
from tests.support.local_cloud import local_cloud
from tests.support.process_machine import Machine, Result, booted, check

GH200 = "NVIDIA GH200 480GB, 97871 MiB, 570.148.08, 9.0\n"

pytestmark = pytest.mark.skipif(shutil.which("ssh") is None, reason="needs an OpenSSH client")


def smi(tmp_path: Path, profile: str, *arguments: str, gpus: int = 1) -> list[Result]:
    """What `nvidia-smi` with each of the arguments comes to on a machine with this profile."""
    results: list[Result] = []

    async def scenario() -> None:
        async with booted(tmp_path, accelerator=read_accelerator(profile), gpus=gpus) as machine:
            for argument in arguments:
                results.append(await machine.ssh(f"nvidia-smi {argument}"))

    check(scenario())
    return results


def test_programs_read_the_model_the_memory_and_the_driver(tmp_path: Path) -> None:
    query = "--query-gpu=name,memory.total,driver_version,compute_cap --format=csv"
    answers = smi(tmp_path, "gh200-570", f"{query},noheader", f"{query},noheader,nounits", query, "")
    assert [answer.status for answer in answers] == [0, 0, 0, 0]
    assert [answer.output for answer in answers[:3]] == [
        GH200,
        GH200.replace(" MiB", ""),
        f"name, memory.total [MiB], driver_version, compute_cap\n{GH200}",
    ]
    table = answers[3].output.splitlines()
    assert "Driver Version: 570.148.08     CUDA Version: 12.8 " in table[2]
    assert {len(line) for line in table[1:]} == {91}


def test_each_gpu_of_the_instance_type_is_listed_with_an_identity_that_stays(tmp_path: Path) -> None:
    first, again, one = smi(
        tmp_path, "gh200-580", "-L", "-L", "--query-gpu=index,uuid --format=csv,noheader -i 1", gpus=2
    )
    assert [line.split(" (UUID: GPU-")[0] for line in first.output.splitlines()] == [
        "GPU 0: NVIDIA GH200 480GB",
        "GPU 1: NVIDIA GH200 480GB",
    ]
    assert first == again
    index, uuid = one.output.strip().split(", ")
    assert index == "1"
    assert first.output.splitlines()[1].endswith(f"(UUID: {uuid})")


def test_a_driver_that_does_not_fit_the_kernel_fails_as_nvidias_does(tmp_path: Path) -> None:
    for answer in smi(tmp_path, "gh200-mismatch", "", "-L", "--query-gpu=name --format=csv"):
        assert answer.status == 18
        assert answer.output.splitlines()[0] == "Failed to initialize NVML: Driver/library version mismatch"


def test_what_is_not_played_is_refused_and_not_made_up(tmp_path: Path) -> None:
    refused = {
        "--query-gpu=nothing --format=csv": (2, 'Field "nothing" is not a valid field to query.'),
        "--query-gpu=name": (1, '"--format=" switch is missing.'),
        "--query-gpu=name --format=xml": (1, 'Invalid format "xml".'),
        "--no-such-switch": (1, "Invalid combination of input arguments."),
        "-i 7": (6, "No devices were found"),
    }
    for answer, (status, said) in zip(smi(tmp_path, "gh200-570", *refused), refused.values(), strict=True):
        assert answer.status == status
        assert answer.output.startswith(said)


@pytest.mark.parametrize(
    ("accelerator", "gpus"),
    [
        pytest.param(None, 1, id="no-profile"),
        pytest.param(read_accelerator("gh200-570"), 0, id="no-gpu-in-the-type"),
    ],
)
def test_a_machine_without_an_accelerator_has_no_nvidia_smi_of_ours(
    tmp_path: Path, accelerator: Accelerator | None, gpus: int
) -> None:
    async def scenario() -> None:
        async with booted(tmp_path, accelerator=accelerator, gpus=gpus) as machine:
            assert not (_tools(machine) / "nvidia-smi").exists()

    check(scenario())


def test_a_file_of_ones_own_is_what_a_launched_machine_says(
    tmp_path: Path,
) -> None:
    own = tmp_path / "h100.toml"
    own.write_text(
        'name = "NVIDIA H100 PCIe"\nmemory_mib = 81559\ncompute_capability = "9.0"\n'
        'driver_version = "570.1"\ncuda_version = "12.8"\n'
    )
    with local_cloud(tmp_path / "state", accelerator=str(own)) as cloud:
        customer = Customer(cloud, tmp_path)
        machine = customer.launched()
        assert customer.ssh(machine, "nvidia-smi --query-gpu=name --format=csv,noheader") == "NVIDIA H100 PCIe\n"


def _tools(machine: Machine) -> Path:
    return machine.home.parents[1] / "bin"
