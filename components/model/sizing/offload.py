"""Weights kept in the host's memory: what `--cpu-offload-gb` moves, and what that takes on the host.

vLLM moves whole parameters, from the first layer on, until the wished amount is passed. Each lies in pinned memory,
whose allocator rounds every piece up to a power of two: Llama 3.1 70B takes 1.18 times its size.
"""

from dataclasses import dataclass

from components.model.sizing.memory import GIB
from components.model.sizing.model_shape import ModelShape

USABLE_HOST_SHARE = 0.85
"""Of the host's memory; the rest is for the system, the server and the page cache."""


@dataclass(frozen=True)
class Offloaded:
    """What is moved, for one GPU."""

    nbytes: float
    pinned_bytes: int
    """Host memory taken."""


NOTHING = Offloaded(0.0, 0)


def offloaded(shape: ModelShape, wished_gib: float, tensor_parallel: int = 1, pins: bool = True) -> Offloaded:
    """What `--cpu-offload-gb` of that many GiB moves from each GPU; all decoder layers at most. Without pinning nothing
    is rounded."""
    wished = wished_gib * GIB
    moved, pinned = 0.0, 0
    for run in shape.decoder:
        layer = sum(run.parameters) / tensor_parallel
        # Whole layers at once; the last one that is touched parameter by parameter.
        whole = run.layers if not layer else max(0, min(run.layers, int((wished - moved) // layer)))
        moved += whole * layer
        pinned += whole * sum(_pinned(size / tensor_parallel) for size in run.parameters)
        if whole == run.layers:
            continue
        for size in run.parameters:
            if moved >= wished:
                break
            moved += size / tensor_parallel
            pinned += _pinned(size / tensor_parallel)
        break
    return Offloaded(moved, pinned if pins else round(moved))


def fits_host(offload: Offloaded, tensor_parallel: int, host_memory_gib: float) -> bool:
    """Whether the host can pin that for all GPUs."""
    return tensor_parallel * offload.pinned_bytes <= USABLE_HOST_SHARE * host_memory_gib * GIB


def most_offload_gib(shape: ModelShape, host_memory_gib: float, tensor_parallel: int = 1, pins: bool = True) -> float:
    """The most, in half GiB for each GPU, that the decoder layers hold and the host can pin."""
    low, high = 0, int(2 * shape.decoder_bytes / tensor_parallel / GIB)
    while low < high:
        middle = (low + high + 1) // 2
        if fits_host(offloaded(shape, middle / 2, tensor_parallel, pins), tensor_parallel, host_memory_gib):
            low = middle
        else:
            high = middle - 1
    return low / 2


def _pinned(nbytes: float) -> int:
    return 1 << max(0, int(-(-nbytes // 1)) - 1).bit_length() if nbytes else 0
