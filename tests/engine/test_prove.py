"""What is installed has to show that it can serve: prove.py, run by a Python whose torch and vLLM are played."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.pulumi_cli import REPOSITORY

PROVE = REPOSITORY / "components/on_machine/install/prove.py"

TORCH = """
import os
from types import SimpleNamespace as made

__version__ = "2.13.0+" + ("cu130" if os.environ["CUDA"] else "cpu")
version = made(cuda=os.environ["CUDA"] or None)
float32 = "float32"


class Matrix:
    def repeat(self, *sizes): return self
    def __matmul__(self, other): return self
    def __getitem__(self, place): return float(os.environ["PRODUCT"])
    def std(self): return 0.0


def arange(*arguments, **named): return Matrix()
def ones(*arguments, **named): return Matrix()


def init():
    raise RuntimeError("The NVIDIA driver on your system is too old (found version 12080).")


def load_library(path):
    if os.environ["LOADS"] == "no":
        raise OSError("libcudart.so.13: cannot open shared object file")
    ops._C.silu_and_mul = path


cuda = made(is_available=lambda: os.environ["SEEN"] == "yes", init=init,
            get_device_name=lambda _: "NVIDIA GH200 480GB", device_count=lambda: 1)
cpu = made(_is_avx512_supported=lambda: True, _is_avx512_bf16_supported=lambda: False)
ops = made(_C=made(), load_library=load_library)
"""


class Environment:
    """Packages for `prove.py` to find, and what the played GPU does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "torch.py").write_text(TORCH)
        (folder / "vllm").mkdir()
        (folder / "vllm/__init__.py").write_text("raise RuntimeError('not to be imported')\n")
        self.distribution("vllm", "0.32.0")
        self.behaviour = {"CUDA": "13.0", "SEEN": "yes", "PRODUCT": "32640", "LOADS": "yes"}
        self.extension("_C_stable_libtorch.abi3.so")

    def distribution(self, name: str, version: str) -> None:
        info = self.folder / f"{name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")

    def extension(self, name: str) -> None:
        for other in (self.folder / "vllm").glob("*.so"):
            other.unlink()
        (self.folder / "vllm" / name).touch()

    def prove(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-P", str(PROVE), *arguments],
            env={**os.environ, "PYTHONPATH": str(self.folder), **self.behaviour},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def refused(self, *arguments: str) -> str:
        """Why it cannot serve, which is all that it says."""
        done = self.prove(*arguments)
        assert done.returncode == 1, done.stderr
        (error,) = json.loads(done.stdout).values()
        assert json.loads(done.stdout) == {"error": error}
        return str(error)


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return Environment(tmp_path)


def test_what_was_found_is_one_line_of_json(environment: Environment) -> None:
    done = environment.prove("cuda", "0.32.0", "2.13.0")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert done.stdout.count("\n") == 1
    expected = {"vllm": "0.32.0", "torch": "2.13.0+cu130", "cuda": "13.0", "gpu": "NVIDIA GH200 480GB", "gpus": 1}
    assert expected.items() <= found.items()
    assert found["python"] == platform.python_version()


@pytest.mark.parametrize(
    ("behaviour", "told"),
    [
        ({"CUDA": ""}, "this is a torch for CPUs (2.13.0+cpu), on a machine with a GPU"),
        ({"SEEN": "no"}, "does not see the GPU: The NVIDIA driver on your system is too old (found version 12080)."),
        ({"PRODUCT": "1"}, "the GPU computes wrongly"),
        ({"LOADS": "no"}, "vLLM's extension cannot be loaded: libcudart.so.13: cannot open shared object file"),
    ],
)
def test_what_installs_without_an_error_and_cannot_serve_is_named(
    environment: Environment, behaviour: dict[str, str], told: str
) -> None:
    environment.behaviour.update(behaviour)
    assert told in environment.refused("cuda", "0.32.0", "2.13.0")


def test_other_versions_than_the_locked_ones_are_named(environment: Environment) -> None:
    assert environment.refused("cuda", "0.33.0") == "vLLM 0.32.0 is installed, and not 0.33.0"
    assert environment.refused("cuda", "0.32.0", "2.14.0") == "torch 2.13.0+cu130 is installed, and not 2.14.0"


def test_a_vllm_for_cpus_on_a_gpu_machine_is_named(environment: Environment) -> None:
    environment.extension("_C_AVX2.abi3.so")
    told = environment.refused("cuda", "0.32.0", "2.13.0")
    assert told == "this vLLM has no extension _C_stable_libtorch: it was built for another kind of machine"


def test_an_older_vllm_has_its_extension_under_its_old_name(environment: Environment) -> None:
    environment.extension("_C.abi3.so")
    assert environment.prove("cuda", "0.32.0", "2.13.0").returncode == 0


def test_a_processor_gets_the_extension_that_vllm_would_take(environment: Environment) -> None:
    environment.behaviour["CUDA"] = ""
    environment.extension("_C_AVX512.abi3.so" if platform.machine() == "x86_64" else "_C.abi3.so")
    done = environment.prove("cpu", "0.32.0", "2.13.0")
    assert done.returncode == 0, done.stderr
    environment.extension("_C_AVX9.abi3.so")
    assert "has no extension" in environment.refused("cpu", "0.32.0")


def test_what_libraries_print_is_no_part_of_the_answer(environment: Environment) -> None:
    with (environment.folder / "torch.py").open("a") as torch:
        torch.write("print('a word of torch')\n")
    done = environment.prove("cuda", "0.32.0", "2.13.0")
    assert json.loads(done.stdout)["vllm"] == "0.32.0"
    assert "a word of torch" in done.stderr
