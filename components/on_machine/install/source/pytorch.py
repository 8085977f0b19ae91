"""The torch that vLLM is built with: of the GPU's kind, or the build ends before it has cost anything."""

import sys

from components.on_machine.install.source.plan import Plan
from components.on_machine.install.source.tools import Tools
from components.on_machine.shared.work import WorkError, say
from components.vllm.release.install.source_pins import Pins


def install_torch(tools: Tools, plan: Plan) -> None:
    """Install it, and the Triton that belongs to it unless that is built too. `WorkError`."""
    pins = plan.pins
    say(f"installing torch {pins.torch}")
    backend = ("--torch-backend", pins.torch_backend) if pins.torch_backend else ()
    # The index of a backend has no dates, so that a cap on them would hide torch itself.
    packages = (f"torch=={pins.torch}", f"torchvision=={pins.torchvision}", f"torchaudio=={pins.torchaudio}")
    tools.install(f"torch {pins.torch}", *backend, *packages)
    cuda = tools.ask(tools.python, "-c", "import torch; print(torch.version.cuda or '')", errors=sys.stderr)
    if cuda is None:
        raise WorkError(f"torch {pins.torch} cannot be loaded, see above", "torch-does-not-load")
    check_cuda(pins, cuda)
    if not plan.triton:
        # Not every torch for aarch64 asks for it.
        tools.install(f"Triton {pins.triton}", f"triton=={pins.triton}")


def check_cuda(pins: Pins, cuda: str) -> None:
    """`WorkError` when torch was built for a CUDA with which vLLM does not go; empty means for CPUs."""
    if not cuda:
        raise WorkError(
            f"torch {pins.torch} is one for CPUs, with which vLLM would be built for CPUs unnoticed", "torch-for-cpus"
        )
    if cuda.partition(".")[0] != pins.cuda.partition(".")[0]:
        raise WorkError(
            f"torch {pins.torch} is one for CUDA {cuda}, while vLLM {pins.version} needs CUDA {pins.cuda}",
            "torch-for-another-cuda",
        )
