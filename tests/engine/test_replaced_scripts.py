"""Scripts that a later `pulumi up` writes over while they run: a program that they start does the writing."""

from pathlib import Path

import pytest

from tests.support.gpu_machine import GpuMachine

# Longer than the end of any script, so that whoever reads on where the old one ended reads this.
REPLACED = 'for _ in {1..4000}; do echo "echo replaced"; done >"$HOME/.local/share/lambda-vllm/scripts/%s"'


@pytest.fixture
def machine(tmp_path: Path) -> GpuMachine:
    machine = GpuMachine(tmp_path)
    machine.accelerator("gh200-580")
    return machine


def test_a_driver_step_that_is_written_over_while_it_runs_ends_as_it_began(machine: GpuMachine) -> None:
    machine.play("nvidia-smi", f"{REPLACED % 'driver.sh'}\necho '580.105.08, NVIDIA GH200 480GB'")
    done = machine.run("driver.sh", "keep")
    assert (done.returncode, done.stdout) == (0, "driver: driver 580.105.08 is new enough for vLLM 0.32.0\n")


def test_an_install_that_is_written_over_while_it_runs_ends_as_it_began(machine: GpuMachine) -> None:
    machine.proves(f"{REPLACED % 'install.sh'}\necho '{{}}'")
    done = machine.run("install.sh")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("vLLM 0.32.0 is installed, in ")


def test_a_download_that_is_written_over_while_it_runs_ends_as_it_began(machine: GpuMachine) -> None:
    machine.play("python3", f"{REPLACED % 'download.sh'}\n[[ $* == *' look '* ]] || exit 0\nexit 3")
    done = machine.run("download.sh", "org/model", "0" * 40, "http://127.0.0.1:9", "1")
    assert (done.returncode, done.stdout) == (0, "")
