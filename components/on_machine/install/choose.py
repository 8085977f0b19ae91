"""What is installed on this machine, and the name of the environment that it goes into.

The name carries the hash of what is in the environment, its pins: a changed pin makes a new one, and the running server
keeps its own; a changed program makes none.
"""

import json
import re
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from components.on_machine.install.request import PRECOMPILED, SOURCE, WHEEL, Request
from components.on_machine.shared.accelerator import CUDA
from components.on_machine.shared.work import WorkError
from components.vllm.release.install.source_pins import BUILD_REVISION, NVCC_THREADS, RefusedError, pins
from components.vllm.release.install.versions import CPU_TARGET, GPU_TARGET, TARGETS, TOOLS, lock_file

BUILD_MB = {SOURCE: 40_000, PRECOMPILED: 20_000}
"""Megabytes that a build needs beside the environment: sources, objects, kernels."""
SIZES = re.compile(r"^# packages=(\d+) download_mb=(\d+) installed_mb=(\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class Lock:
    """Packages with their hashes."""

    file: Path
    torch: str
    packages: int
    download_mb: int


@dataclass(frozen=True)
class Choice:
    """What is installed."""

    target: str
    """`cuda` or `cpu`."""
    version: str
    """Of vLLM."""
    name: str
    """Of the environment."""
    needed_mb: int
    """Megabytes on the disk."""
    lock: Lock | None
    """None for a build."""


def choose(request: Request, target: str, architecture: str) -> Choice:
    """What the request comes to on a `cuda` or `cpu` machine of an architecture such as `aarch64`. `WorkError`."""
    if request.install == WHEEL:
        return _locked(request, target, architecture)
    if target != CUDA:
        raise WorkError(
            f"`install: {request.install}` builds for a GPU, and this machine has none: use `install: wheel`",
            "build-without-gpu",
        )
    version = request.version_for(GPU_TARGET)
    name = f"vllm-{version}-{request.install}-{build_hash(version, triton=request.triton)}"
    return Choice(target, version, name, BUILD_MB[request.install], None)


def _locked(request: Request, target: str, architecture: str) -> Choice:
    kind = GPU_TARGET if target == CUDA else CPU_TARGET
    pinned, version, file = TARGETS[kind], request.version_for(kind), lock_file(kind, architecture)
    if version != pinned.vllm:
        raise WorkError(
            f"wheels are locked for vLLM {pinned.vllm}: leave vllmVersion out, or use `install: source` for {version}",
            "version-not-locked",
        )
    if not file.is_file():
        raise WorkError(f"there is no lock for {target} on {architecture}", "no-lock")
    text = file.read_text()
    sizes = SIZES.search(text)
    assert sizes, f"{file.name} does not say how large it is"
    packages, download_mb, installed_mb = map(int, sizes.groups())
    lock = Lock(file, pinned.torch, packages, download_mb)
    return Choice(target, version, f"vllm-{version}-{target}-{_hash(text)}", installed_mb, lock)


def build_hash(version: str, *, triton: bool) -> str:
    """Changes with all that a build depends on. `WorkError` for a version that is not pinned."""
    try:
        pinned = asdict(pins(version))
    except RefusedError as error:
        raise WorkError(str(error), "version-not-pinned") from None
    besides = {"nvcc_threads": NVCC_THREADS, "python": TOOLS["python"], "revision": BUILD_REVISION}
    return _hash(json.dumps({"pins": pinned, "triton": triton, **besides}, sort_keys=True))


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:12]
