"""Proves that an environment can serve on this machine: prove.py TARGET VLLM_VERSION [TORCH_VERSION].

TARGET is cuda or cpu. Run by the environment's own Python; prints one line of JSON with what was found. A torch for CPUs on a
GPU machine installs without an error and cannot serve, and so do extensions for another CUDA than torch's.
"""

import json
import platform
import sys
from contextlib import redirect_stdout
from importlib.metadata import PackageNotFoundError, version
from typing import Any

KERNEL = "silu_and_mul"
"""An operation that vLLM's extension brings on every target, from 0.6 to 0.32."""
SIZE = 256


class NotProvenError(Exception):
    """The environment cannot serve here; the text is one line."""


def prove(target: str, vllm_version: str, torch_version: str | None) -> dict[str, Any]:
    """What is installed, after all of it was tried; `NotProvenError` otherwise."""
    try:
        import torch
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
    """vLLM loads its own compiled part on the platform that it takes this machine for."""
    try:
        from vllm.platforms import current_platform

        kind = current_platform.device_type
        if kind == target:
            current_platform.import_kernels()
    except (ImportError, OSError) as error:
        raise NotProvenError(f"vLLM's extension cannot be loaded: {error}") from None
    if kind != target:
        raise NotProvenError(f"vLLM takes this machine for {kind or 'none that it knows'}, and it is {target}")
    if not hasattr(torch.ops._C, KERNEL):
        raise NotProvenError("vLLM's extension cannot be loaded: see the warning above")


if __name__ == "__main__":
    arguments = sys.argv[1:]
    try:
        # vLLM logs to standard output.
        with redirect_stdout(sys.stderr):
            proof = prove(arguments[0], arguments[1], arguments[2] if len(arguments) > 2 else None)
        print(json.dumps(proof))
    except NotProvenError as not_proven:
        sys.exit(f"error: {not_proven}")
