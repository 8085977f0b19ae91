"""Which versions belong together when vLLM is built from source, and with how many compilers at once.

Where the pins come from: `requirements/cuda.txt`, `pyproject.toml` and `CMakeLists.txt` of each version name its torch,
its Pythons and its oldest GCC; torch's own metadata names its Triton. Runs on the machine too, with its own Python 3.10
or newer.
"""

from dataclasses import dataclass

BUILD_REVISION = 1
"""A part of the names of a kept wheel and of an environment: raise it when what is built changes for the same pins."""
GIB = 1024**3
NVCC_THREADS = 2
"""vLLM divides MAX_JOBS by this number and lets each nvcc use as many threads."""
GIB_PER_JOB = 4
"""With NVCC_THREADS = 2 each compiler has twice this. The kernels for Hopper in CUTLASS need about 8 GiB each."""


@dataclass(frozen=True)
class Pins:
    """One version of vLLM and what it is built with."""

    version: str
    torch: str
    torchvision: str
    torchaudio: str
    torch_backend: str
    """What uv's --torch-backend is given; empty where PyPI's own torch is the right one for the GPU."""
    cuda: str
    """What `torch.version.cuda` says. nvcc has to be of the same major version."""
    triton: str
    triton_has_arm_wheel: bool
    driver: int
    """The oldest major version of the NVIDIA driver."""
    gcc: str
    """The oldest version of GCC."""
    python: str = "3.12"
    rust: str = ""
    """The toolchain for `vllm-rs`, an optional program. Empty where the version has none."""
    precompiled: bool = True
    """Whether PyPI has a wheel for aarch64 and CUDA, whose compiled parts can be taken."""
    exclude_newer: str = ""
    """The day after which nothing that was published is looked at."""
    without: str = ""
    """A dependency that is left out."""


PINS = (
    Pins(
        version="0.33.0",
        torch="2.14.0",
        torchvision="0.29.0",
        torchaudio="2.11.0",
        torch_backend="",
        cuda="13.0",
        triton="3.8.0",
        triton_has_arm_wheel=True,
        driver=580,
        gcc="13",
        rust="1.95",
    ),
    Pins(
        version="0.32.0",
        torch="2.13.0",
        torchvision="0.28.0",
        torchaudio="2.11.0",
        torch_backend="",
        cuda="13.0",
        triton="3.7.1",
        triton_has_arm_wheel=True,
        driver=580,
        gcc="13",
        rust="1.95",
    ),
    # PyPI's torch of this version is for CPUs on aarch64, so it comes from PyTorch's own index, where it does not bring
    # Triton.
    Pins(
        version="0.19.1",
        torch="2.10.0",
        torchvision="0.25.0",
        torchaudio="2.10.0",
        torch_backend="cu128",
        cuda="12.8",
        triton="3.6.0",
        triton_has_arm_wheel=True,
        driver=570,
        gcc="11",
    ),
    # What a reader of the tutorial got when it was written. Without the date a resolver takes today's transformers,
    # which this version cannot use. pyairports has gone from PyPI and its name has been taken by somebody else; guided
    # decoding with outlines needs it, serving does not.
    Pins(
        version="0.6.3.post1",
        torch="2.4.0",
        torchvision="0.19.0",
        torchaudio="2.4.0",
        torch_backend="cu124",
        cuda="12.4",
        triton="3.0.0",
        triton_has_arm_wheel=False,
        driver=550,
        gcc="9",
        precompiled=False,
        exclude_newer="2024-10-25",
        without="pyairports",
    ),
)


class RefusedError(Exception):
    """Something that is not pinned; the text is what the user reads."""


def pins(version: str) -> Pins:
    """The pins of a version of vLLM.

    Raises:
        RefusedError: the version is not pinned.
    """
    for known in PINS:
        if known.version == version:
            return known
    allowed = ", ".join(known.version for known in PINS)
    raise RefusedError(f"vLLM {version} is not pinned for a build from source: set vllmVersion to one of {allowed}")


def max_jobs(cores: int, memory_bytes: int) -> int:
    """MAX_JOBS of a build: one for each core, and no more than the memory bears."""
    return max(1, min(cores, memory_bytes // GIB // GIB_PER_JOB))
