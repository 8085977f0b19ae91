"""The GPUs that Lambda rents, as far as the size and speed of a model depend on them.

Memory is what `nvidia-smi` calls total (ECC on where the card comes so); bandwidth is the data sheet's unless a comment
says that it was measured.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from components.cloud.models import InstanceType

# Effective rates of weights read from the host's memory, GB/s. NVLink-C2C peaks at 450 and gives 300 to 400; fifth
# generation PCIe gave 24 with vLLM's zero-copy reads; the older two are assumed to lose the same share.
NVLINK_C2C = 350.0
PCIE_5 = 24.0
PCIE_4 = 15.0
PCIE_3 = 8.0

FAST_LINK_GB_S = 200.0
"""From here on a link is fast enough that weights in the host's memory make a model slow, not useless."""

Capability = tuple[int, int]


@dataclass(frozen=True)
class Gpu:
    """One graphics card."""

    name: str
    """As in Lambda's `gpu_description`, without the brackets."""
    memory_gib: float
    """Usable total."""
    bandwidth_gb_s: float
    """Of its own memory, GB/s."""
    compute_capability: Capability
    host_link_gb_s: float
    """Effective, host to device, GB/s."""

    @property
    def has_fp8(self) -> bool:
        """True when it computes in FP8; others read FP8 weights and compute in 16 bits."""
        return self.compute_capability >= (8, 9)

    @property
    def has_fp4(self) -> bool:
        """True when it computes in FP4, and in blocks of FP8 with shared exponents (MXFP8): from Blackwell on."""
        return self.compute_capability >= (10, 0)

    @property
    def has_bf16(self) -> bool:
        """True when vLLM runs bfloat16 on it."""
        return self.compute_capability >= (8, 0)

    @property
    def has_fast_link(self) -> bool:
        """True when offloaded weights are read at a rate that is of use."""
        return self.host_link_gb_s >= FAST_LINK_GB_S


@dataclass(frozen=True)
class MachineSize:
    """What an instance type has for a model."""

    gpu: Gpu
    gpus: int
    host_memory_gib: float
    name: str
    """The instance type, such as `gpu_1x_gh200`."""


GPUS: Mapping[str, Gpu] = MappingProxyType(
    {
        "RTX 6000 (24 GB)": Gpu("RTX 6000", 23.6, 672, (7, 5), PCIE_3),
        "A6000 (48 GB)": Gpu("A6000", 48.0, 768, (8, 6), PCIE_4),
        "A10 (24 GB PCIe)": Gpu("A10", 22.5, 600, (8, 6), PCIE_4),
        "A100 (40 GB PCIe)": Gpu("A100 40 GB", 40.0, 1555, (8, 0), PCIE_4),
        "A100 (40 GB SXM4)": Gpu("A100 40 GB", 40.0, 1555, (8, 0), PCIE_4),
        "A100 (80 GB SXM4)": Gpu("A100 80 GB", 80.0, 2039, (8, 0), PCIE_4),
        # 97,871 MiB; a triad measured 3,726 GB/s of the 4,000 on the data sheet.
        "GH200 (96 GB)": Gpu("GH200", 95.6, 3700, (9, 0), NVLINK_C2C),
        "H100 (80 GB PCIe)": Gpu("H100 PCIe", 79.6, 2000, (9, 0), PCIE_5),
        "H100 (80 GB SXM5)": Gpu("H100", 79.6, 3350, (9, 0), PCIE_5),
        "B200 (180 GB SXM6)": Gpu("B200", 179.0, 7700, (10, 0), PCIE_5),
        "Tesla V100 (16 GB)": Gpu("V100", 16.0, 900, (7, 0), PCIE_3),
    }
)
"""By Lambda's `gpu_description`."""


def machine_size(instance_type: InstanceType) -> MachineSize | None:
    """Size of an instance type; None when it has no GPU, or one that is not known here."""
    gpu = GPUS.get(_gpu_description(instance_type))
    if gpu is None or instance_type.specs.gpus < 1:
        return None
    return MachineSize(gpu, instance_type.specs.gpus, float(instance_type.specs.memory_gib), instance_type.name)


def _gpu_description(instance_type: InstanceType) -> str:
    """Older answers have the description only, where the count comes first."""
    return instance_type.gpu_description or instance_type.description.partition("x ")[2]
