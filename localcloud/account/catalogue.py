"""What Lambda sells: regions, instance types and images, as listed in August 2026 (images: November 2025)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal
from uuid import NAMESPACE_URL, uuid5

Architecture = Literal["x86_64", "arm64"]

REGIONS: Mapping[str, str] = {
    "us-west-1": "California, USA",
    "us-west-2": "Arizona, USA",
    "us-west-3": "Utah, USA",
    "us-south-1": "Texas, USA",
    "us-south-2": "North Texas, USA",
    "us-south-3": "Central Texas, USA",
    "us-east-1": "Virginia, USA",
    "us-east-2": "Washington DC, USA",
    "us-east-3": "Washington DC, USA",
    "us-midwest-1": "Illinois, USA",
    "us-midwest-2": "Ohio, USA",
    "europe-central-1": "Germany",
    "asia-south-1": "India",
    "me-west-1": "Israel",
    "asia-northeast-1": "Osaka, Japan",
    "asia-northeast-2": "Tokyo, Japan",
    "australia-east-1": "Sydney, Australia",
}
"""Region code to description."""

ARM64_REGION = "us-east-3"
"""The one region that sells arm64 machines, and nothing else."""


@dataclass(frozen=True)
class InstanceType:
    """A size of machine: price in US cents per hour, memory and storage in GiB, and where it can usually be had."""

    name: str
    description: str
    price_cents_per_hour: int
    vcpus: int
    memory_gib: int
    storage_gib: int
    gpus: int
    usual_regions: tuple[str, ...]
    architecture: Architecture = "x86_64"

    @property
    def gpu_description(self) -> str:
        """The description without the count in front."""
        return self.description.split("x ", 1)[1] if self.gpus else "N/A"


_AMPERE = ("us-west-1", "us-east-1", "us-south-2")
_HOPPER = ("us-west-3", "us-south-2", "us-east-1")
_BLACKWELL = ("us-west-2", "us-midwest-1")
_VOLTA = ("us-south-1",)

INSTANCE_TYPES: Mapping[str, InstanceType] = {
    row.name: row
    for row in (
        InstanceType("gpu_1x_rtx6000", "1x RTX 6000 (24 GB)", 69, 14, 46, 512, 1, ("us-south-1",)),
        InstanceType("gpu_1x_a6000", "1x A6000 (48 GB)", 109, 14, 100, 200, 1, ("us-south-1",)),
        InstanceType("gpu_1x_a10", "1x A10 (24 GB PCIe)", 129, 30, 200, 1400, 1, _AMPERE),
        InstanceType("gpu_1x_a100", "1x A100 (40 GB PCIe)", 199, 30, 200, 512, 1, _AMPERE),
        InstanceType("gpu_1x_a100_sxm4", "1x A100 (40 GB SXM4)", 199, 30, 200, 512, 1, _AMPERE),
        InstanceType("gpu_1x_gh200", "1x GH200 (96 GB)", 229, 64, 432, 4096, 1, (ARM64_REGION,), "arm64"),
        InstanceType("gpu_1x_h100_pcie", "1x H100 (80 GB PCIe)", 329, 26, 200, 1024, 1, ("us-west-3",)),
        InstanceType("gpu_1x_h100_sxm5", "1x H100 (80 GB SXM5)", 429, 26, 225, 2816, 1, _HOPPER),
        InstanceType("gpu_1x_b200_sxm6", "1x B200 (180 GB SXM6)", 699, 26, 360, 2816, 1, _BLACKWELL),
        InstanceType("gpu_2x_a6000", "2x A6000 (48 GB)", 218, 28, 200, 1024, 2, ("us-south-1",)),
        InstanceType("gpu_2x_a100", "2x A100 (40 GB PCIe)", 398, 60, 400, 1024, 2, _AMPERE),
        InstanceType("gpu_2x_h100_sxm5", "2x H100 (80 GB SXM5)", 838, 52, 450, 5632, 2, _HOPPER),
        InstanceType("gpu_2x_b200_sxm6", "2x B200 (180 GB SXM6)", 1378, 52, 720, 5632, 2, _BLACKWELL),
        InstanceType("gpu_4x_a6000", "4x A6000 (48 GB)", 436, 56, 400, 1024, 4, ("us-south-1",)),
        InstanceType("gpu_4x_a100", "4x A100 (40 GB PCIe)", 796, 120, 800, 1024, 4, _AMPERE),
        InstanceType("gpu_4x_h100_sxm5", "4x H100 (80 GB SXM5)", 1636, 104, 900, 11264, 4, _HOPPER),
        InstanceType("gpu_4x_b200_sxm6", "4x B200 (180 GB SXM6)", 2716, 104, 1440, 11264, 4, _BLACKWELL),
        InstanceType("gpu_8x_v100", "8x Tesla V100 (16 GB)", 632, 92, 448, 6041, 8, _VOLTA),
        InstanceType("gpu_8x_v100_n", "8x Tesla V100 (16 GB)", 632, 88, 448, 6041, 8, _VOLTA),
        InstanceType("gpu_8x_a100", "8x A100 (40 GB SXM4)", 1592, 124, 1800, 6144, 8, _AMPERE),
        InstanceType("gpu_8x_a100_80gb_sxm4", "8x A100 (80 GB SXM4)", 2232, 240, 1800, 20480, 8, _AMPERE),
        InstanceType("gpu_8x_h100_sxm5", "8x H100 (80 GB SXM5)", 3192, 208, 1800, 22528, 8, _HOPPER),
        InstanceType("gpu_8x_b200_sxm6", "8x B200 (180 GB SXM6)", 5352, 208, 2900, 22528, 8, _BLACKWELL),
        InstanceType("cpu_4x_general", "4x CPU General (16 GiB)", 20, 4, 16, 100, 0, ("us-east-1",)),
    )
}


@dataclass(frozen=True)
class Image:
    """A disk image; it is listed once for each region that has it, always with the same id."""

    id: str
    family: str
    name: str
    description: str
    version: str
    architecture: Architecture
    only_in: tuple[str, ...] = ()
    """The few regions that have it; empty for all that sell the architecture."""


_STACK = "AI ready GPU image with CUDA, Docker, and ML frameworks"
_BASE = "GPU base image with CUDA and Docker enabled"
_UBUNTU = "Ubuntu LTS"


def _x86_id(family: str) -> str:
    """Always the same for a family, since an id may be pinned in someone's settings."""
    return str(uuid5(NAMESPACE_URL, f"lambda-image:{family}:x86_64"))


def _x86(family: str, name: str, description: str, version: str, only_in: tuple[str, ...] = ()) -> Image:
    return Image(_x86_id(family), family, name, description, version, "x86_64", only_in)


DEFAULT_FAMILY = "lambda-stack-24-04"
"""What a launch without an image gets: the latest Lambda Stack."""

IMAGES: tuple[Image, ...] = (
    _x86("lambda-stack-24-04", "Lambda Stack 24.04", _STACK, "24.4.4-2141"),
    _x86("lambda-stack-22-04", "Lambda Stack 22.04", _STACK, "22.4.5-2141"),
    _x86("gpu-base-24-04", "GPU Base 24.04", _BASE, "24.4.4-2141"),
    _x86("gpu-base-22-04", "GPU Base 22.04", _BASE, "22.4.5-2141"),
    _x86("ubuntu-24-04", "Ubuntu 24.04.2 LTS", _UBUNTU, "24.4.2-20250626"),
    _x86("ubuntu-22-04", "Ubuntu 22.04.5 LTS", _UBUNTU, "22.4.5-20250702"),
    _x86(
        "lambda-stack-legacy-22-04",
        "Lambda Stack (Legacy) 22.04",
        _STACK,
        "22.4.5-1722",
        ("us-south-1", "us-south-2"),
    ),
    Image(
        "e57d5fc7-36e7-4f9a-953f-3429c1f7e3b7",
        "lambda-stack-24-04",
        "Lambda Stack 24.04",
        _STACK,
        "24.4.4-2141",
        "arm64",
    ),
    Image(
        "0eb41057-8eb0-4303-8364-ca93b87e49b5",
        "lambda-stack-22-04",
        "Lambda Stack 22.04",
        _STACK,
        "22.4.5-2141",
        "arm64",
    ),
)


def image_regions(image: Image, sold_in: Collection[str]) -> list[str]:
    """The regions that list an image, given those that sell machines of its architecture at the moment."""
    if image.only_in:
        return list(image.only_in)
    arm64 = image.architecture == "arm64"
    return [region for region in REGIONS if (region == ARM64_REGION) == arm64 or region in sold_in]
