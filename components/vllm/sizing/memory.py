"""What vLLM takes of a GPU besides the weights, before the rest becomes KV cache.

vLLM measures it at every start: it runs one forward pass of `max_num_batched_tokens` and one round of sampling, and
gives to the cache `utilisation · total - weights - peak of that run - non-torch memory - estimate for CUDA graphs`.
This module foresees those terms. They were fitted to starts of vLLM 0.26 on an H200 (Llama 3.1 8B and 70B, Qwen3 32B;
16 bits, FP8, offload), and give each of their peaks within 0.1 GiB.
"""

from dataclasses import dataclass
from typing import Literal

from components.vllm.sizing.gpus import Gpu
from components.vllm.sizing.model_shape import ModelShape

GIB = 2.0**30

Runner = Literal["v1", "v2"]
"""vLLM's model runner; v2 is the default for what it supports, `VLLM_USE_V2_MODEL_RUNNER=0` asks for v1."""

# Workspaces of matrix multiplication and attention, of the same size for every model.
WORKSPACE_GIB = 0.19
# The CUDA context and what libraries take past torch's allocator; NCCL takes buffers when there are several GPUs.
NON_TORCH_GIB = 0.22
NCCL_GIB = 1.0
# Graphs took 0.98 GiB at 32 layers, 1.88 at 64 and 1.92 at 80; the v1 runner estimated 1.43 at 80.
GRAPHS_GIB = 0.37
GRAPHS_GIB_PER_LAYER = 0.021
GRAPHS_GIB_PER_LAYER_V1 = 0.018

DEFAULT_UTILISATION = 0.92


@dataclass(frozen=True)
class Batch:
    """The most that one step of the engine handles."""

    tokens: int
    sequences: int


def default_batch(gpu: Gpu) -> Batch:
    """What `vllm serve` takes when nobody says: by the memory of the GPU, and less for an A100 of any size."""
    if gpu.memory_gib >= 160:
        return Batch(16384, 1024)
    if gpu.memory_gib >= 70 and not gpu.name.startswith("A100"):
        return Batch(8192, 1024)
    return Batch(2048, 256)


def peak_activation_gib(shape: ModelShape, gpu: Gpu, batch: Batch, tensor_parallel: int = 1) -> float:
    """GiB for each GPU that the trial run needs at its peak, which is in a layer or in the sampler."""
    return max(_forward_bytes(shape, gpu, batch, tensor_parallel), _sampler_bytes(shape, batch)) / GIB


def graphs_gib(shape: ModelShape, runner: Runner = "v2") -> float:
    """GiB set aside for CUDA graphs: since vLLM 0.21 with the v1 runner, by 0.32 with both."""
    if runner == "v1":
        return GRAPHS_GIB_PER_LAYER_V1 * shape.layers
    return GRAPHS_GIB + GRAPHS_GIB_PER_LAYER * shape.layers


def non_torch_gib(tensor_parallel: int) -> float:
    """GiB for each GPU that torch does not know of."""
    return NON_TORCH_GIB + (NCCL_GIB if tensor_parallel > 1 else 0.0)


def _forward_bytes(shape: ModelShape, gpu: Gpu, batch: Batch, tensor_parallel: int) -> float:
    """A layer's MLP is the widest place of the pass. Alive there are, for each token: gate and up (two of the
    intermediate size), their product, the residual stream, what the attention gave, and one of its keys and values."""
    inputs = _input_bytes(shape, gpu)
    dense = (4 + inputs) * shape.intermediate_size / tensor_parallel
    expert = shape.expert_intermediate_size / tensor_parallel
    # The buffer of the experts serves both their inner and their outer side, so it has the width of the wider.
    routed = shape.experts_per_token * (2 * max(2 * expert, shape.hidden_size) + 2 * expert)
    keys = shape.latent_dim or max(1.0, shape.kv_heads / tensor_parallel) * shape.head_dim
    attention = inputs * shape.heads * shape.value_head_dim / tensor_parallel + 2 * keys
    token = max(dense, routed) + 2 * shape.hidden_size + attention
    return WORKSPACE_GIB * GIB + batch.tokens * token + _layer_copy_bytes(shape) / tensor_parallel


def _input_bytes(shape: ModelShape, gpu: Gpu) -> int:
    """Bytes of an element that goes into a matrix: one where activations are quantised and the GPU computes in such
    numbers, else two; what four bits save on Blackwell is not counted."""
    computes = {
        "fp8": gpu.has_fp8,
        "nvfp4": gpu.has_fp4,
        "mxfp4": gpu.has_fp4,
        "mxfp8": gpu.has_fp4,
    }
    return 1 if shape.quantised_activations and computes.get(shape.weight_format, True) else 2


def _layer_copy_bytes(shape: ModelShape) -> int:
    """With quantised weights the peak was higher by a layer's matrices, at every batch; experts are used in place."""
    if shape.weight_format == "16-bit":
        return 0
    return max((run.linear_bytes for run in shape.decoder), default=0)


def _sampler_bytes(shape: ModelShape, batch: Batch) -> float:
    """Logits and probabilities of every sequence in 32 bits, beside the batch's last hidden and residual states."""
    sequences = min(batch.sequences, batch.tokens)
    return 2 * 4 * sequences * shape.vocabulary + 2 * 2 * batch.tokens * shape.hidden_size
