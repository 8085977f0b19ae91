"""What is built. The wheel of one machine fits another when all of that is the same."""

import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path

from components.on_machine.shared.accelerator import nvidia_smi
from components.on_machine.shared.work import WorkError
from components.vllm.release.install.source_pins import BUILD_REVISION, Pins, RefusedError, pins

BUILD, PRECOMPILED = "build", "precompiled"
"""Ways: everything is compiled here, or vLLM's compiled parts come from the release's own wheel."""


@dataclass(frozen=True)
class Plan:
    """One build."""

    pins: Pins
    way: str
    triton: bool
    """Whether Triton is built too."""
    capabilities: str
    """Of the machine's GPUs, each once, as TORCH_CUDA_ARCH_LIST has them: `9.0`, or `8.0;9.0`."""
    python: str
    """Of the environment, such as 3.12."""
    architecture: str
    """Of the processor: `aarch64` or `x86_64`."""

    @property
    def key(self) -> str:
        """Names the build on a machine, and its wheel on the shelf."""
        gpu = self.capabilities.replace(";", "_")
        way = self.way + ("-triton" if self.triton else "")
        return (
            f"v{self.pins.version}-torch{self.pins.torch}-cu{self.pins.cuda}-sm{gpu}-py{self.python}-"
            f"{self.architecture}-{way}-r{BUILD_REVISION}"
        )

    @property
    def capped(self) -> tuple[str, ...]:
        """Options of uv, against what was published too late for this version."""
        return ("--exclude-newer", self.pins.exclude_newer) if self.pins.exclude_newer else ()

    @property
    def compiles(self) -> bool:
        """Whether a compiler is needed."""
        return self.way == BUILD or self.triton


def plan_build(venv: Path, version: str, way: str, *, triton: bool) -> Plan:
    """The build of a version on this machine. `WorkError` where there can be none."""
    known = pins_of(version, way)
    architecture = platform.machine()
    needs_triton = architecture == "aarch64" and not known.triton_has_arm_wheel
    return Plan(known, way, triton or needs_triton, _capabilities(), _python_of(venv), architecture)


def pins_of(version: str, way: str) -> Pins:
    """What the version is built with. `WorkError` when it is not pinned, or not for this way."""
    try:
        known = pins(version)
    except RefusedError as refusal:
        raise WorkError(str(refusal), "version-not-pinned") from None
    if way == PRECOMPILED and not known.precompiled:
        raise WorkError(
            f"vLLM {version} has no wheel for aarch64 to take compiled parts from: build it, or use a newer "
            "vllmVersion",
            "nothing-precompiled",
        )
    return known


def _capabilities() -> str:
    told = nvidia_smi("compute_cap")
    if told is None:
        raise WorkError(f"nvidia-smi does not tell the GPU's compute capability: {_said(['nvidia-smi'])}", "no-gpu")
    return ";".join(sorted(set(told)))


def _python_of(venv: Path) -> str:
    program = venv / "bin/python"
    said = _said([str(program), "-c", "import sys; print('python %d.%d' % sys.version_info[:2])"])
    if not said.startswith("python "):
        raise WorkError(f"there is no Python that runs in {venv}: {said}", "no-environment")
    return said.removeprefix("python ")


def _said(command: list[str]) -> str:
    """The first line of what a program says."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        return str(error)
    return (done.stdout + done.stderr).strip().partition("\n")[0]
