"""What a model demands of a machine besides memory: a GPU that knows its number formats, and heads to share out."""

from dataclasses import replace

from components.model.sizing.gpus import Gpu, MachineSize
from components.model.sizing.model_shape import ModelShape
from components.model.sizing.serve_options import ServeOptions
from components.text.counted import counted
from components.vllm.release.quantisation import Support, support

OLDEST_CAPABILITY = (7, 5)
"""CUDA 13, for which vLLM's wheels are built, does not know older GPUs."""


def part_of_one_copy(machine: MachineSize, wish: ServeOptions) -> MachineSize:
    """What one copy of the model has of the machine; the whole of it unless there are several copies."""
    copies = wish.data_parallel_size
    return replace(machine, gpus=machine.gpus // copies, host_memory_gib=machine.host_memory_gib / copies)


def obstacle(shape: ModelShape, machine: MachineSize, wish: ServeOptions) -> str:
    """Why vLLM would refuse to start on a part of a machine, in one line; empty when only memory can be in the way."""
    if machine.gpus < 1:
        return f"data-parallel-size {wish.data_parallel_size} is more than the GPUs of {machine.name}"
    return _formats(shape, machine.gpu, wish) or _parallel(shape, machine, wish) or _context(shape, wish)


def tensor_parallel_size(shape: ModelShape, gpus: int, wish: ServeOptions) -> int:
    """GPUs to share the model: as wished, else as many as can."""
    return wish.tensor_parallel_size or max(size for size in range(1, gpus + 1) if splits(shape, size))


def splits(shape: ModelShape, size: int) -> bool:
    """Whether heads and matrices can be shared out to so many GPUs; key and value heads may also be repeated."""
    if size == 1:
        return True
    widths = [width for width in (shape.intermediate_size, shape.expert_intermediate_size) if width]
    heads = shape.heads % size == 0 and (shape.kv_heads % size == 0 or size % shape.kv_heads == 0)
    return heads and all(width % size == 0 and width // size % shape.quantisation_block == 0 for width in widths)


def _formats(shape: ModelShape, gpu: Gpu, wish: ServeOptions) -> str:
    major, minor = gpu.compute_capability
    has = f"{gpu.name} has compute capability {major}.{minor}"
    if gpu.compute_capability < OLDEST_CAPABILITY:
        return f"{has}, and vLLM's CUDA 13 wheels need 7.5: use another instance type"
    if wish.dtype in ("float", "float32"):
        return "dtype float32 takes twice the memory and is not reckoned with: use bfloat16 or half"
    element_type = shape.element_type if wish.dtype == "auto" else wish.dtype
    if element_type == "bfloat16" and not gpu.has_bf16:
        return f"{has}, and bfloat16 needs 8.0: set dtype half in vllmArgs, or use another instance type"
    return _quantised(shape, gpu, element_type)


def _quantised(shape: ModelShape, gpu: Gpu, element_type: str) -> str:
    """Whether vLLM runs the weights on this GPU: by its own list, in hub/quantisation.json."""
    found = support(shape.quantisation, shape.quantisation_schemes)
    if found is None:
        return ""
    major, minor = gpu.compute_capability
    has = f"{gpu.name} has compute capability {major}.{minor}"
    kinds = ", ".join([str(shape.quantisation), *shape.quantisation_schemes])
    what = f"{shape.weight_format.upper()} weights ({kinds})"
    if 10 * major + minor < found.least:
        return f"{has}, and {what} need {_version(found.least)}: use {_elsewhere(found)}"
    if found.most is not None and 10 * major + minor > found.most:
        where = f"on {_version(found.most)}" if found.most == found.least else f"below {_version(found.most + 1)}"
        return f"{has}, and vLLM runs {what} {where} only: use an FP8 checkpoint, or INT4 by AWQ or GPTQ"
    if {"half": "float16"}.get(element_type, element_type) not in found.dtypes:
        return f"vLLM runs {shape.quantisation} in {' and '.join(found.dtypes)} only: leave dtype out of vllmArgs"
    return ""


def _elsewhere(found: Support) -> str:
    """What would do."""
    cards = "a B200" if found.least > 90 else "an H100 or GH200" if found.least > 86 else "an A10, A100 or newer"
    return f"a checkpoint in 16 bits or INT4 by AWQ or GPTQ, or {cards}"


def _version(capability: int) -> str:
    return f"{capability // 10}.{capability % 10}"


def _parallel(shape: ModelShape, machine: MachineSize, wish: ServeOptions) -> str:
    size = wish.tensor_parallel_size
    if size is None:
        return ""
    if not 1 <= size <= machine.gpus:
        copies = f" for each of {wish.data_parallel_size} copies" if wish.data_parallel_size > 1 else ""
        return (
            f"tensor-parallel-size {size} is not between 1 and the GPUs of {machine.name}, which are "
            f"{machine.gpus}{copies}"
        )
    if not splits(shape, size):
        sizes = ", ".join(str(n) for n in range(1, machine.gpus + 1) if splits(shape, n))
        return (
            f"tensor-parallel-size {size} does not divide the model's {counted(shape.heads, 'head')} and its matrices: "
            f"on {machine.name} use {sizes}"
        )
    return ""


def _context(shape: ModelShape, wish: ServeOptions) -> str:
    if wish.max_model_len is not None and wish.max_model_len > shape.max_context and not wish.beyond_context:
        return f"maxModelLen {wish.max_model_len} is more than the {shape.max_context} tokens of the model itself"
    return ""
