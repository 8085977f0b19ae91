"""The GPUs that Lambda rents, as far as the size and speed of a model depend on them.

Memory is what CUDA gives a program (`cudaMemGetInfo`), on which vLLM reckons: 0.4 to 1.1 GiB less than `nvidia-smi`
calls total. It differs a little from driver to driver; here stands the least that torch was seen to print in public
logs. Bandwidths are data sheets', which nothing surpasses: the speeds that follow are bounds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from components.lambda_cloud.api.models import InstanceType

# What a link carries in one direction, GB/s: sixteen lanes of PCIe at their rate less the coding of the line, and
# NVLink-C2C. Of fifth generation PCIe 52 were seen, of NVLink-C2C 300 to 400.
NVLINK_C2C = 450.0
PCIE_5 = 63.0
PCIE_4 = 31.5
PCIE_3 = 15.75

FAST_LINK_GB_S = 200.0
"""From here on a link is fast enough that weights in the host's memory make a model slow, not useless."""

Capability = tuple[int, int]


@dataclass(frozen=True)
class Gpu:
    """One graphics card."""

    name: str
    """As in Lambda's `gpu_description`, without the brackets."""
    memory_gib: float
    """Total by CUDA's account."""
    bandwidth_gb_s: float
    """Of its own memory, GB/s."""
    compute_capability: Capability
    host_link_gb_s: float
    """From the host's memory, at most, GB/s."""

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
        # Its error correction takes a sixteenth: 22.5 GiB by nvidia-smi; the difference to CUDA's is assumed.
        "RTX 6000 (24 GB)": Gpu("RTX 6000", 21.9, 672, (7, 5), PCIE_3),
        "A6000 (48 GB)": Gpu("A6000", 47.4, 768, (8, 6), PCIE_4),
        "A10 (24 GB PCIe)": Gpu("A10", 21.98, 600, (8, 6), PCIE_4),
        "A100 (40 GB PCIe)": Gpu("A100 40 GB", 39.38, 1555, (8, 0), PCIE_4),
        "A100 (40 GB SXM4)": Gpu("A100 40 GB", 39.38, 1555, (8, 0), PCIE_4),
        "A100 (80 GB SXM4)": Gpu("A100 80 GB", 79.14, 2039, (8, 0), PCIE_4),
        # nvidia-smi: 97,871 MiB. A triad measured 3,726 GB/s.
        "GH200 (96 GB)": Gpu("GH200", 94.5, 4000, (9, 0), NVLINK_C2C),
        "H100 (80 GB PCIe)": Gpu("H100 PCIe", 79.1, 2039, (9, 0), PCIE_5),
        "H100 (80 GB SXM5)": Gpu("H100", 79.1, 3352, (9, 0), PCIE_5),
        "B200 (180 GB SXM6)": Gpu("B200", 178.35, 8000, (10, 0), PCIE_5),
        "Tesla V100 (16 GB)": Gpu("V100", 15.75, 900, (7, 0), PCIE_3),
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
