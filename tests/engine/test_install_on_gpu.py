"""The install on a GPU machine, as far as it can be driven without one: the real script, with the local cloud's
accelerators for the driver, and programs that play root and the package installer."""

import os
import subprocess
from pathlib import Path

import pytest

from localcloud.machines.accelerator import read_accelerator
from localcloud.machines.disk import lay_nvidia_smi
from tests.engine.pulumi_cli import REPOSITORY

SCRIPTS = REPOSITORY / "components/vllm/scripts"

FAKE_UV = """#!/bin/bash
echo "uv $*" >>"$HOME/called"
if [[ $1 == venv ]]; then
    mkdir -p "${!#}/bin"
    cp "$HOME/fake-python" "${!#}/bin/python"
fi
"""


class GpuMachine:
    """A home directory with our scripts, and a PATH with `nvidia-smi` and a `sudo` that is played."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.base = self.home / ".local/share/lambda-vllm"
        self._bin = folder / "bin"
        self._bin.mkdir()
        (self.base / "scripts").mkdir(parents=True)
        for file in SCRIPTS.glob("*.*"):
            (self.base / "scripts" / file.name).write_bytes(file.read_bytes())
        versions = (SCRIPTS / "versions.env").read_text()
        version = next(line.split("=")[1] for line in versions.splitlines() if line.startswith("UV_VERSION"))
        uv = self.base / f"uv-{version}/bin/uv"
        uv.parent.mkdir(parents=True)
        self._write(uv, FAKE_UV)
        self.play("sudo", 'echo "sudo $*" >>"$HOME/called"')
        self.proves("exit 0")

    def play(self, program: str, script: str) -> None:
        """Put a program on the machine's PATH."""
        self._write(self._bin / program, f"#!/bin/bash\n{script}\n")

    def accelerator(self, profile: str) -> None:
        """The GPU that is there and the driver that is installed, as `--accelerator` names them."""
        accelerator = read_accelerator(profile)
        assert accelerator is not None
        lay_nvidia_smi(self._bin / "nvidia-smi", self._bin / "accelerator.json", accelerator, ["GPU-0"])

    def proves(self, script: str) -> None:
        """What the new environment's Python does when it is asked to prove itself."""
        self._write(self.home / "fake-python", f"#!/bin/bash\n{script}\n")

    def install(self) -> "subprocess.CompletedProcess[str]":
        """Run the install to its end."""
        return subprocess.run(
            ["bash", str(self.base / "scripts/install.sh")],
            env={"HOME": str(self.home), "PATH": f"{self._bin}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @property
    def called(self) -> str:
        """What was asked of root and of the installer."""
        log = self.home / "called"
        return log.read_text() if log.exists() else ""

    @staticmethod
    def _write(file: Path, text: str) -> None:
        file.write_text(text)
        file.chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path) -> GpuMachine:
    return GpuMachine(tmp_path)


def test_a_driver_that_knows_cuda_13_is_left_alone_and_root_is_not_asked(machine: GpuMachine) -> None:
    machine.accelerator("gh200-580")
    done = machine.install()
    assert done.returncode == 0, done.stderr
    assert "sudo" not in machine.called
    assert not (machine.base / "cuda.env").exists()
    assert "uv pip install" in machine.called
    assert " vllm==0.32.0 torch==2.13.0" in machine.called
    assert (machine.base / "venv").resolve().name == "vllm-0.32.0-cuda"


def test_the_stock_driver_gets_compatibility_libraries_without_a_reboot_and_says_so(machine: GpuMachine) -> None:
    machine.accelerator("gh200-570")
    done = machine.install()
    assert done.returncode == 0, done.stderr
    assert "driver 570.148.08 is older than 580: installing cuda-compat-13-0" in done.stdout
    assert "apt-get -qq -o DPkg::Lock::Timeout=600 install -y cuda-compat-13-0" in machine.called
    assert "VLLM_ENABLE_CUDA_COMPATIBILITY=1" in (machine.base / "cuda.env").read_text()


def test_libraries_that_cannot_be_had_end_the_install_with_the_other_way(machine: GpuMachine) -> None:
    machine.accelerator("gh200-570")
    machine.play("sudo", '[[ $* != *" install "* ]]')
    done = machine.install()
    assert done.returncode != 0
    assert "upgrade the driver to 580" in done.stderr
    assert "uv pip install" not in machine.called


def test_a_gpu_that_does_not_answer_is_an_error_and_no_reason_to_use_the_cpu(machine: GpuMachine) -> None:
    machine.accelerator("gh200-mismatch")
    done = machine.install()
    assert done.returncode != 0
    assert "nvidia-smi is there but finds no GPU: Failed to initialize NVML" in done.stderr
    assert machine.called == ""


def test_a_torch_that_cannot_use_the_gpu_fails_the_install(machine: GpuMachine) -> None:
    machine.accelerator("gh200-580")
    machine.proves("echo 'error: this torch was built for CPUs only' >&2; exit 1")
    done = machine.install()
    assert done.returncode != 0
    assert not (machine.base / "venv").exists()
    machine.proves("exit 0")
    assert machine.install().returncode == 0
    assert machine.called.count("uv pip install") == 2


def test_an_install_that_is_complete_is_not_repeated(machine: GpuMachine) -> None:
    machine.accelerator("gh200-580")
    machine.install()
    before = machine.called
    assert machine.install().returncode == 0
    assert machine.called == before
