"""Decides what is to be done about the NVIDIA driver: driver.py MODE INSTALL VLLM_VERSION UBUNTU pending|no prints two
lines, ACTION and the reason. UBUNTU is such as 24.04; `pending` says that an upgraded driver waits for a reboot.

MODE is the configuration's `driver`:

    auto      what needs no reboot: NVIDIA's compatibility libraries where the driver is too old
    compat    the same by name, also should auto one day choose otherwise
    upgrade   driver 580 from Lambda's own repository and a reboot, unless it is that new
    keep      nothing is changed

ACTION is `cpu`, `keep`, `compat`, `upgrade`, `reboot`, or `refuse`. Runs with the machine's own Python 3.10 or newer.
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

CUDA13_DRIVER = 580
"""The first driver that knows CUDA 13."""
CUDA12_DRIVER = 570
"""The first driver that knows CUDA 12.8, which the last vLLM for CUDA 12 is built with."""
FIRST_CUDA13_VLLM = (0, 20)
"""PyPI's wheels are built for CUDA 13 since 0.20.0."""

COMPAT_PACKAGE = "cuda-compat-13-0"
COMPAT_BRANCHES = frozenset({535, 550, 565, 570, 575})
"""Driver branches that CUDA 13.0's compatibility libraries run on: those that NVIDIA's own images for CUDA 13.0 allow
in NVIDIA_REQUIRE_CUDA, the same for x86_64 and for sbsa."""
NO_COMPAT_GPUS = re.compile(r"GeForce|TITAN|Quadro|RTX", re.IGNORECASE)
"""Forward compatibility is for data centre GPUs (NVIDIA, CUDA Compatibility, Forward Compatibility)."""
ARCHITECTURES = frozenset({"aarch64", "x86_64"})
UBUNTUS = frozenset({"22.04", "24.04"})
"""Those that Lambda's repository has a driver for, as far as it was seen."""

MODES = ("auto", "compat", "upgrade", "keep")
CUDA12_WAY = "`install: source` with vllmVersion 0.19.1"
NVIDIA_PCI_VENDOR = "0x10de"


class Machine(NamedTuple):
    """What the machine says of its GPU."""

    driver: str
    """Such as 570.148.08; empty when no driver answers."""
    gpu: str
    ubuntu: str
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
    """What the configuration and the machine come to."""
    if not machine.has_gpu:
        return Decision("cpu", "no NVIDIA GPU: vLLM computes on the CPU and needs no driver")
    if machine.upgrade_pending:
        return Decision("reboot", "the upgraded driver waits for a reboot")
    if "version mismatch" in machine.failure:
        return _mismatch(mode)
    if not machine.driver:
        return _no_driver(mode, machine)
    needed = CUDA13_DRIVER if needs_cuda13(install, vllm_version) else CUDA12_DRIVER
    if machine.branch >= needed and not (mode == "upgrade" and machine.branch < CUDA13_DRIVER):
        return Decision("keep", f"driver {machine.driver} is new enough for vLLM {vllm_version}")
    return _too_old(mode, machine, vllm_version, needed)


def needs_cuda13(install: str, vllm_version: str) -> bool:
    """True when that vLLM wants CUDA 13; wheels are for CUDA 13 only, as their locks are."""
    numbers = tuple(int(number) for number in re.findall(r"\d+", vllm_version)[:2])
    return install == "wheel" or numbers >= FIRST_CUDA13_VLLM


def _mismatch(mode: str) -> Decision:
    if mode == "upgrade":
        return Decision("reboot", "the driver was upgraded under the running kernel")
    return Decision(
        "refuse",
        "the driver was upgraded under the running kernel: reboot the machine (sudo reboot), or set `driver: upgrade`, "
        "and run `pulumi up` again",
    )


def _no_driver(mode: str, machine: Machine) -> Decision:
    if machine.failure:
        return Decision("refuse", f"nvidia-smi is there but finds no GPU: {machine.failure}")
    if mode == "upgrade":
        return _upgrade(machine, "there is an NVIDIA GPU but no driver")
    return Decision(
        "refuse",
        "there is an NVIDIA GPU but no driver: use imageFamily lambda-stack-24-04, or set `driver: upgrade`",
    )


def _too_old(mode: str, machine: Machine, vllm_version: str, needed: int) -> Decision:
    why = f"driver {machine.driver} is older than {needed}, which vLLM {vllm_version} needs"
    if mode == "upgrade":
        return _upgrade(machine, f"driver {machine.driver} is older than {CUDA13_DRIVER}")
    if mode == "keep" and needed == CUDA13_DRIVER:
        return Decision("refuse", f"{why}: set `driver: compat` or `driver: upgrade`, or use {CUDA12_WAY}")
    if needed == CUDA12_DRIVER:
        return Decision("refuse", f"{why}: set `driver: upgrade`")
    obstacle = compat_obstacle(machine)
    if obstacle:
        return Decision("refuse", f"{why}, and {obstacle}: set `driver: upgrade`")
    return Decision("compat", f"{why}: {COMPAT_PACKAGE} brings CUDA 13 to it without a reboot")


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
            "refuse",
            f"{why}, and Lambda has no driver {CUDA13_DRIVER} for Ubuntu {machine.ubuntu or 'unknown'} on "
            f"{machine.architecture}: use imageFamily lambda-stack-24-04",
        )
    return Decision("upgrade", f"{why}: upgrading to {CUDA13_DRIVER} from Lambda's repository, with a reboot")


def read_machine(ubuntu: str, upgrade_pending: bool) -> Machine:
    """This machine, as it says itself."""
    architecture = _said("uname", "-m")[1]
    try:
        status, said = _said("nvidia-smi", "--query-gpu=driver_version,name", "--format=csv,noheader")
    except FileNotFoundError:
        return Machine("", "", ubuntu, architecture, has_nvidia_device(), upgrade_pending=upgrade_pending)
    first = said.splitlines()[0] if said else "no answer"
    if status != 0:
        return Machine("", "", ubuntu, architecture, failure=first, upgrade_pending=upgrade_pending)
    driver, _, gpu = first.partition(", ")
    return Machine(driver, gpu, ubuntu, architecture, upgrade_pending=upgrade_pending)


def has_nvidia_device(devices: Path = Path("/sys/bus/pci/devices")) -> bool:
    """True when the PCI bus has something of NVIDIA's."""
    return any(vendor.read_text().strip() == NVIDIA_PCI_VENDOR for vendor in devices.glob("*/vendor"))


def _said(*command: str) -> tuple[int, str]:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode, done.stdout.strip()


def main(words: list[str]) -> int:
    """Print the decision in two lines."""
    mode, install, vllm_version, ubuntu, pending = words
    if mode not in MODES:
        print(f"error: driver is one of {', '.join(MODES)}, not {mode}", file=sys.stderr)
        return 1
    print("\n".join(decide(mode, read_machine(ubuntu, pending == "pending"), install, vllm_version)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
