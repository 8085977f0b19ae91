"""Which versions belong together when vLLM is built from source, and with how many compilers at once.

source_pins.py versions            the versions of vLLM that are pinned, newest first
source_pins.py show VERSION        the pins of one, a NAME=VALUE a line
source_pins.py python VERSION      the Python it is built for
source_pins.py set-for DRIVER      the version of vLLM that this NVIDIA driver allows, without compatibility libraries
source_pins.py jobs                MAX_JOBS for this machine

A refusal is one line on standard error and exit status 1. Runs with the machine's own Python 3.10 or newer.

Where the pins come from: `requirements/cuda.txt`, `pyproject.toml` and `CMakeLists.txt` of each version name its torch,
its Pythons and its oldest GCC; torch's own metadata names its Triton.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

BUILD_REVISION = 1
"""A part of the name of a kept wheel: raise it when what is built changes for the same pins."""
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

    def shell(self) -> dict[str, str]:
        """By the names that source.sh reads; whether is yes or empty."""
        words = {True: "yes", False: ""}
        told = {name: words[value] if isinstance(value, bool) else str(value) for name, value in vars(self).items()}
        return told | {"nvcc_threads": str(NVCC_THREADS)}


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

# By the driver, newest first. 0.32.0 is the version of the wheels that are installed otherwise; the tutorial's own is
# for the record and only built when it is named.
BY_DRIVER = ((580, "0.32.0"), (570, "0.19.1"))


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


def version_for(driver: str) -> str:
    """The version of vLLM that an NVIDIA driver such as 570.148.08 allows.

    Raises:
        RefusedError: the driver is older than any that is pinned, or is no version.
    """
    major = driver.strip().partition(".")[0]
    if not major.isdigit():
        raise RefusedError(f"{driver!r} is no version of an NVIDIA driver")
    for oldest, version in BY_DRIVER:
        if int(major) >= oldest:
            return version
    raise RefusedError(
        f"driver {driver} is older than {BY_DRIVER[-1][0]}: upgrade it, or use driver compat with 0.32.0"
    )


def max_jobs(cores: int, memory_bytes: int) -> int:
    """MAX_JOBS of a build: one for each core, and no more than the memory bears."""
    return max(1, min(cores, memory_bytes // GIB // GIB_PER_JOB))


def machine_memory() -> int:
    """Bytes of RAM. `MemTotal` of /proc/meminfo is in KiB."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    raise RefusedError("/proc/meminfo has no MemTotal: set MAX_JOBS")


def answer(words: Sequence[str]) -> str:
    """What the program prints.

    Raises:
        RefusedError: for words that it does not know, and as the functions above.
    """
    match words:
        case ["versions"]:
            return "\n".join(known.version for known in PINS)
        case ["show", version]:
            return "\n".join(f"{name}={value}" for name, value in pins(version).shell().items())
        case ["python", version]:
            return pins(version).python
        case ["set-for", driver]:
            return version_for(driver)
        case ["jobs"]:
            return str(max_jobs(len(os.sched_getaffinity(0)), machine_memory()))
    raise RefusedError("source_pins.py versions | show VERSION | python VERSION | set-for DRIVER | jobs")


def main() -> int:
    """Print the answer, or why there is none."""
    try:
        print(answer(sys.argv[1:]))
    except RefusedError as refusal:
        print(f"error: {refusal}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
