"""Decides what is to be done about the NVIDIA driver.

The mode is the configuration's `driver`:

    auto      what needs no reboot: NVIDIA's compatibility libraries where the driver is too old
    compat    the same by name, also should auto one day choose otherwise
    upgrade   driver 580 from Lambda's own repository and a reboot, unless it is that new
    keep      nothing is changed
"""

import re
from typing import NamedTuple

from components.on_machine.shared.work import WorkError
from components.vllm.release.driver.cuda import (
    COMPAT_BRANCHES,
    COMPAT_PACKAGE,
    CUDA12_DRIVER,
    CUDA12_WAY,
    CUDA13_DRIVER,
    FIRST_CUDA13_VLLM,
)

NO_COMPAT_GPUS = re.compile(r"GeForce|TITAN|Quadro|RTX", re.IGNORECASE)
"""Forward compatibility is for data centre GPUs (NVIDIA, CUDA Compatibility, Forward Compatibility)."""
ARCHITECTURES = frozenset({"aarch64", "x86_64"})
UBUNTUS = frozenset({"22.04", "24.04"})
"""Those that Lambda's repository has a driver for, as far as it was seen."""

MODES = ("auto", "compat", "upgrade", "keep")
CPU, KEEP, COMPAT, UPGRADE, REBOOT, REFUSE = "cpu", "keep", "compat", "upgrade", "reboot", "refuse"
"""What is done."""


class Machine(NamedTuple):
    """What the machine says of its GPU."""

    driver: str
    """Such as 570.148.08; empty when no driver answers."""
    gpu: str
    ubuntu: str
    """Such as 24.04; empty when it does not say."""
    architecture: str
    has_gpu: bool = True
    failure: str = ""
    """What nvidia-smi says when it finds no GPU."""
    upgrade_pending: bool = False
    """A driver of ours is installed, and waits for a reboot."""

    @property
    def branch(self) -> int:
        return int(self.driver.split(".")[0])


class Decision(NamedTuple):
    """What is done, and why, in one line."""

    action: str
    reason: str


def decide(mode: str, machine: Machine, install: str, vllm_version: str) -> Decision:
    """What the configuration and the machine come to; `WorkError` for a mode that there is not."""
    if mode not in MODES:
        raise WorkError(f"driver is one of {', '.join(MODES)}, not {mode}", "driver-mode")
    if not machine.has_gpu:
        return Decision(CPU, "no NVIDIA GPU: vLLM computes on the CPU and needs no driver")
    if machine.upgrade_pending:
        return Decision(REBOOT, "the upgraded driver waits for a reboot")
    if "version mismatch" in machine.failure:
        return _mismatch(mode)
    if not machine.driver:
        return _no_driver(mode, machine)
    needed = CUDA13_DRIVER if needs_cuda13(install, vllm_version) else CUDA12_DRIVER
    if machine.branch >= needed and not (mode == UPGRADE and machine.branch < CUDA13_DRIVER):
        return Decision(KEEP, f"driver {machine.driver} is new enough for vLLM {vllm_version}")
    return _too_old(mode, machine, vllm_version, needed)


def needs_cuda13(install: str, vllm_version: str) -> bool:
    """True when that vLLM wants CUDA 13; wheels are for CUDA 13 only, as their locks are."""
    numbers = tuple(int(number) for number in re.findall(r"\d+", vllm_version)[:2])
    return install == "wheel" or numbers >= FIRST_CUDA13_VLLM


def _mismatch(mode: str) -> Decision:
    if mode == UPGRADE:
        return Decision(REBOOT, "the driver was upgraded under the running kernel")
    return Decision(
        REFUSE,
        "the driver was upgraded under the running kernel: reboot the machine (sudo reboot), or set `driver: upgrade`, "
        "and run `pulumi up` again",
    )


def _no_driver(mode: str, machine: Machine) -> Decision:
    if machine.failure:
        return Decision(REFUSE, f"nvidia-smi is there but finds no GPU: {machine.failure}")
    if mode == UPGRADE:
        return _upgrade(machine, "there is an NVIDIA GPU but no driver")
    return Decision(
        REFUSE,
        "there is an NVIDIA GPU but no driver: use imageFamily lambda-stack-24-04, or set `driver: upgrade`",
    )


def _too_old(mode: str, machine: Machine, vllm_version: str, needed: int) -> Decision:
    why = f"driver {machine.driver} is older than {needed}, which vLLM {vllm_version} needs"
    if mode == UPGRADE:
        return _upgrade(machine, f"driver {machine.driver} is older than {CUDA13_DRIVER}")
    if mode == KEEP and needed == CUDA13_DRIVER:
        return Decision(REFUSE, f"{why}: set `driver: compat` or `driver: upgrade`, or use {CUDA12_WAY}")
    if needed == CUDA12_DRIVER:
        return Decision(REFUSE, f"{why}: set `driver: upgrade`")
    obstacle = compat_obstacle(machine)
    if obstacle:
        return Decision(REFUSE, f"{why}, and {obstacle}: set `driver: upgrade`")
    return Decision(COMPAT, f"{why}: {COMPAT_PACKAGE} brings CUDA 13 to it without a reboot")


def compat_obstacle(machine: Machine) -> str:
    """Why the compatibility libraries cannot be used here; empty when they can."""
    if machine.branch not in COMPAT_BRANCHES:
        branches = ", ".join(map(str, sorted(COMPAT_BRANCHES)))
        return f"{COMPAT_PACKAGE} supports the drivers {branches}, not {machine.branch}"
    if NO_COMPAT_GPUS.search(machine.gpu):
        return f"{COMPAT_PACKAGE} is for data centre GPUs, which {machine.gpu} is not"
    if machine.architecture not in ARCHITECTURES:
        return f"there is no {COMPAT_PACKAGE} for {machine.architecture}"
    return ""


def _upgrade(machine: Machine, why: str) -> Decision:
    if machine.ubuntu not in UBUNTUS or machine.architecture not in ARCHITECTURES:
        return Decision(
            REFUSE,
            f"{why}, and Lambda has no driver {CUDA13_DRIVER} for Ubuntu {machine.ubuntu or 'unknown'} on "
            f"{machine.architecture}: use imageFamily lambda-stack-24-04",
        )
    return Decision(UPGRADE, f"{why}: upgrading to {CUDA13_DRIVER} from Lambda's repository, with a reboot")
