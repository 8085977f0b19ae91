"""The machines of Lambda's catalogue, cheapest first, as the code under test gets them."""

from dataclasses import replace

from components.lambda_cloud.api.models import InstanceType, Specs
from components.model.sizing.gpus import GPUS, Gpu, MachineSize, machine_size
from localcloud.account.catalogue import INSTANCE_TYPES


def answered(name: str) -> InstanceType:
    """An instance type as Lambda's API answers it."""
    row = INSTANCE_TYPES[name]
    return InstanceType(
        name=row.name,
        description=row.description,
        gpu_description=row.gpu_description,
        price_cents_per_hour=row.price_cents_per_hour,
        specs=Specs(vcpus=row.vcpus, memory_gib=row.memory_gib, storage_gib=row.storage_gib, gpus=row.gpus),
    )


def machine(name: str) -> MachineSize:
    """A machine of the catalogue that has a GPU."""
    size = machine_size(answered(name))
    assert size is not None
    return size


GH200, H100, A100, A10, B200 = (
    machine(f"gpu_1x_{name}") for name in ("gh200", "h100_sxm5", "a100", "a10", "b200_sxm6")
)
BY_PRICE: tuple[MachineSize, ...] = tuple(
    machine(row.name) for row in sorted(INSTANCE_TYPES.values(), key=lambda row: row.price_cents_per_hour) if row.gpus
)


def with_memory(size: MachineSize, gib: float) -> MachineSize:
    """The same with another total of each GPU, such as `gpu_memory_utilization` makes of a larger one."""
    return replace(size, gpu=replace(size.gpu, memory_gib=gib))


LIKE_GH200 = with_memory(GH200, 95.6)
"""The budget with which most was measured: nvidia-smi's total of a GH200."""
H200 = MachineSize(Gpu("H200", 139.8, 4800, (9, 0), GPUS["H100 (80 GB SXM5)"].host_link_gb_s), 1, 500.0, "h200")
"""Not in the catalogue; what was measured ran on it."""
