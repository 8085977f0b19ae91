"""How fast one stream can decode at best: a token takes one pass over the weights that it uses, wherever they are."""

from dataclasses import dataclass

from components.model.sizing.gpus import Gpu
from components.model.sizing.memory import GIB
from components.model.sizing.model_shape import ModelShape

GB = 1e9


@dataclass(frozen=True)
class Speed:
    """An upper bound."""

    tokens_per_second: float
    formula: str


def speed(shape: ModelShape, gpu: Gpu, offloaded_bytes: float, tensor_parallel: int) -> Speed:
    """From the bytes that each GPU reads for a token: of its own memory, and over the link to the host.

    Of routed experts only those that a token passes are read.
    """
    weights = shape.weights_bytes / tensor_parallel
    experts = shape.expert_bytes / tensor_parallel
    offloaded_experts = offloaded_bytes * shape.expert_bytes / shape.decoder_bytes if shape.decoder_bytes else 0.0
    idle = 1 - shape.active_share
    link_bytes = offloaded_bytes - idle * offloaded_experts
    own_bytes = weights - offloaded_bytes - idle * (experts - offloaded_experts)
    seconds = own_bytes / (gpu.bandwidth_gb_s * GB) + link_bytes / (gpu.host_link_gb_s * GB)
    rate = 1 / seconds
    terms = [f"{own_bytes / GIB:.1f} GiB / {gpu.bandwidth_gb_s:g} GB/s"]
    if link_bytes:
        terms.append(f"{link_bytes / GIB:.1f} GiB / {gpu.host_link_gb_s:g} GB/s")
    return Speed(rate, f"1 / ({' + '.join(terms)}) = {rate:.1f} tokens/s")
