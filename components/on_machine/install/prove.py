"""Proves that an environment can serve on this machine: prove.py TARGET VLLM_VERSION [TORCH_VERSION].

TARGET is cuda or cpu. Run by the environment's own Python, which has nothing of this repository: nothing is imported
from it. Prints one line of JSON: what was found, or with exit status 1 an `error`. A torch for CPUs on a GPU machine
installs without an error and cannot serve, and so do extensions for another CUDA than torch's.
"""

import json
import platform
import sys
from contextlib import redirect_stdout
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

KERNEL = "silu_and_mul"
"""An operation that vLLM's extension brings on every target, from 0.6 to 0.32."""
GPU_EXTENSIONS = ("_C_stable_libtorch", "_C")
"""The file without its suffix: since 0.32 at the latest, and before."""
SIZE = 256


class NotProvenError(Exception):
    """The environment cannot serve here; the text is one line."""


def prove(target: str, vllm_version: str, torch_version: str | None) -> dict[str, Any]:
    """What is installed, after all of it was tried; `NotProvenError` otherwise."""
    try:
        torch = import_module("torch")
    except (ImportError, OSError) as error:
        raise NotProvenError(f"torch cannot be loaded: {error}") from None
    found: dict[str, Any] = {
        "vllm": installed("vllm"),
        "torch": str(torch.__version__),
        "triton": installed("triton"),
        "python": platform.python_version(),
        "cuda": torch.version.cuda,
    }
    expect("vLLM", found["vllm"], vllm_version)
    if torch_version:
        expect("torch", found["torch"], torch_version)
    if target == "cuda":
        found.update(prove_gpu(torch))
    prove_extension(torch, target)
    return found


def installed(distribution: str) -> str | None:
    """The version of a distribution; None when it is not installed."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def expect(what: str, found: str | None, wanted: str) -> None:
    """A version, without what it says of its build: 2.13.0+cu130 is a 2.13.0."""
    if (found or "none").split("+")[0] != wanted:
        raise NotProvenError(f"{what} {found or 'of no version'} is installed, and not {wanted}")


def prove_gpu(torch: Any) -> dict[str, Any]:
    """The GPU's name, after it computed something that was checked."""
    if not torch.version.cuda:
        raise NotProvenError(f"this is a torch for CPUs ({torch.__version__}), on a machine with a GPU")
    if not torch.cuda.is_available():
        raise NotProvenError(
            f"torch {torch.__version__} for CUDA {torch.version.cuda} does not see the GPU: {why(torch)}"
        )
    a = torch.arange(SIZE, device="cuda", dtype=torch.float32).repeat(SIZE, 1)
    # Each row of `a` is 0 … SIZE - 1, so times a matrix of ones every number is their sum.
    product = a @ torch.ones(SIZE, SIZE, device="cuda")
    if float(product[0, 0]) != SIZE * (SIZE - 1) / 2 or float(product.std()) != 0.0:
        raise NotProvenError("the GPU computes wrongly")
    return {"gpu": torch.cuda.get_device_name(0), "gpus": torch.cuda.device_count()}


def why(torch: Any) -> str:
    """What CUDA says when it cannot be used, which `is_available` keeps to itself."""
    try:
        torch.cuda.init()
    except (RuntimeError, AssertionError) as error:
        return str(error).splitlines()[0]
    return "no GPU is visible"


def prove_extension(torch: Any, target: str) -> None:
    """vLLM's compiled part loads beside this torch, and brings its operations.

    It is loaded as it is: `import vllm` would do that too, after ten seconds of imports that prove nothing.
    """
    spec = find_spec("vllm")
    if spec is None or not spec.submodule_search_locations:
        raise NotProvenError("there is no package vllm")
    folder = Path(spec.submodule_search_locations[0])
    names = GPU_EXTENSIONS if target == "cuda" else (cpu_extension(torch), "_C")
    files = [file for name in names for file in sorted(folder.glob(f"{name}.*so"))]
    if not files:
        raise NotProvenError(f"this vLLM has no extension {names[0]}: it was built for another kind of machine")
    try:
        torch.ops.load_library(str(files[0]))
    except OSError as error:
        raise NotProvenError(f"vLLM's extension cannot be loaded: {error}") from None
    if not hasattr(torch.ops._C, KERNEL):
        raise NotProvenError(f"vLLM's extension {files[0].name} does not bring {KERNEL}")


def cpu_extension(torch: Any) -> str:
    """The build that vLLM takes on this processor (vllm/platforms/cpu.py of 0.32)."""
    if platform.machine() != "x86_64":
        return "_C"
    if not torch.cpu._is_avx512_supported():
        return "_C_AVX2"
    return "_C" if torch.cpu._is_avx512_bf16_supported() else "_C_AVX512"


def main(words: list[str]) -> int:
    """Print the answer; the exit status."""
    try:
        # Libraries may print what they like.
        with redirect_stdout(sys.stderr):
            found = prove(words[0], words[1], words[2] if len(words) > 2 else None)
    except NotProvenError as not_proven:
        print(json.dumps({"error": str(not_proven)}))
        return 1
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
