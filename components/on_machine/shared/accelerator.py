"""What this machine computes with. The machine says it; the program that rents it does not guess."""

import shutil
import subprocess
from pathlib import Path

from components.on_machine.shared.work import WorkError

NVIDIA_PCI_VENDOR = "0x10de"
CUDA, CPU = "cuda", "cpu"


def accelerator() -> str:
    """`cuda` or `cpu`. A GPU that does not answer is an error (`WorkError`), and no reason to use the CPU."""
    if shutil.which("nvidia-smi") is None:
        if has_nvidia_device():
            raise WorkError("there is an NVIDIA GPU but no driver: use imageFamily lambda-stack-24-04", "no-driver")
        return CPU
    if nvidia_smi("driver_version") is not None:
        return CUDA
    raise WorkError(f"nvidia-smi is there but finds no GPU: {said_by_nvidia_smi()}", "no-gpu")


def nvidia_smi(field: str) -> list[str] | None:
    """What each GPU says of a field of `nvidia-smi --query-gpu`; None when none answers."""
    command = ["nvidia-smi", f"--query-gpu={field}", "--format=csv,noheader"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return said.stdout.strip().splitlines() if said.returncode == 0 else None


def said_by_nvidia_smi() -> str:
    """The first line that `nvidia-smi` says: why no GPU answers, where none does."""
    said = subprocess.run(["nvidia-smi"], capture_output=True, text=True, check=False)
    return (said.stdout + said.stderr).strip().partition("\n")[0]


def has_nvidia_device(devices: Path = Path("/sys/bus/pci/devices")) -> bool:
    """True when the PCI bus has something of NVIDIA's."""
    return any(vendor.read_text().strip() == NVIDIA_PCI_VENDOR for vendor in devices.glob("*/vendor"))
