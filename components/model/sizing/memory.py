"""What vLLM takes of a GPU besides the weights, before the rest becomes KV cache.

vLLM measures it at every start: it runs one forward pass of `max_num_batched_tokens` and one round of sampling, and
gives to the cache `utilisation · total - weights - what its runner keeps - peak of that run - non-torch memory -
estimate for CUDA graphs`. This module foresees those terms. Their structure is that of the source of 0.32, their
constants were fitted to 18 starts of 0.26 on an H200 (dense models, mixtures of experts, windows; 16 bits, FP8,
offload; both runners), whose peaks they give within 0.1 GiB below and 0.2 above.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from components.model.sizing.gpus import Gpu
from components.model.sizing.model_shape import ModelShape

GIB = 2.0**30

Runner = Literal["v1", "v2"]
"""vLLM's model runner; v2 is the default for what it supports, `VLLM_USE_V2_MODEL_RUNNER=0` asks for v1."""

# Workspaces of matrix multiplication and attention, of the same size for every model.
WORKSPACE_GIB = 0.21
# The CUDA context and what libraries take past torch's allocator; NCCL takes buffers when there are several GPUs.
NON_TORCH_GIB = 0.22
NCCL_GIB = 1.0
# Graphs took 0.98 GiB at 32 layers, 1.88 at 64 and 1.92 at 80; the v1 runner estimated 1.43 at 80.
GRAPHS_GIB = 0.37
GRAPHS_GIB_PER_LAYER = 0.021
GRAPHS_GIB_PER_LAYER_V1 = 0.018

# Bytes for each sequence and each word of the vocabulary. In the trial run of the v2 runner nobody asks for a
# temperature or a penalty, so that its logits stay as they are, in 16 bits. The v1 runner asks for all of it: beside
# those it holds the logits, the probabilities and the noise in 32 bits.
LOGITS: Mapping[Runner, int] = {"v1": 2 + 3 * 4, "v2": 2}
# What the v2 runner keeps from the start: a count of each word written, a bit for each word of the prompt, and a bit
# for each word that a grammar allows.
KEPT_BY_V2 = 4 + 2 / 8

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


def peak_activation_gib(
    shape: ModelShape, gpu: Gpu, batch: Batch, tensor_parallel: int = 1, runner: Runner = "v2"
) -> float:
    """GiB for each GPU that the trial run needs at its peak, which is in a layer, in the sampler, or in the encoder of
    pictures before them. What that gives lies beside the text."""
    experts = batch.tokens * _experts_bytes(shape, tensor_parallel)
    layer = batch.tokens * _token_bytes(shape, gpu, tensor_parallel) + _layer_copy_bytes(shape) / tensor_parallel
    pictures = 2 * batch.tokens * shape.hidden_size if shape.encoder_token_bytes else 0
    text = pictures + experts + max(layer, _sampler_bytes(shape, batch, runner))
    return WORKSPACE_GIB + max(text, batch.tokens * shape.encoder_token_bytes) / GIB


def kept_gib(shape: ModelShape, batch: Batch, runner: Runner = "v2") -> float:
    """GiB that the runner itself holds on each GPU, which vLLM counts by 0.32; 0.26 did not."""
    return batch.sequences * shape.vocabulary * KEPT_BY_V2 / GIB if runner == "v2" else 0.0


def graphs_gib(shape: ModelShape, runner: Runner = "v2") -> float:
    """GiB set aside for CUDA graphs: since vLLM 0.21 with the v1 runner, by 0.32 with both."""
    if runner == "v1":
        return GRAPHS_GIB_PER_LAYER_V1 * shape.layers
    return GRAPHS_GIB + GRAPHS_GIB_PER_LAYER * shape.layers


def non_torch_gib(tensor_parallel: int) -> float:
    """GiB for each GPU that torch does not know of."""
    return NON_TORCH_GIB + (NCCL_GIB if tensor_parallel > 1 else 0.0)


def _token_bytes(shape: ModelShape, gpu: Gpu, tensor_parallel: int) -> float:
    """Of a token of the batch at the widest place of the pass, the MLP of a layer. Alive are there: gate and up (two of
    the intermediate size), their product, the residual stream, what the attention gave, and one of its keys and
    values."""
    inputs = _input_bytes(shape, gpu)
    dense = (4 + inputs) * shape.intermediate_size / tensor_parallel
    keys = shape.latent_dim or max(1.0, shape.kv_heads / tensor_parallel) * shape.head_dim
    attention = inputs * shape.heads * shape.value_head_dim / tensor_parallel + 2 * keys
    return dense + 2 * shape.hidden_size + attention


def _experts_bytes(shape: ModelShape, tensor_parallel: int) -> float:
    """Of a token in the two workspaces of routed experts, which stay from the first layer on. Each serves an inner and
    an outer side of the experts, so it has the width of the wider (`TritonExperts.workspace_shapes`)."""
    inner = shape.expert_intermediate_size / tensor_parallel
    widths = max(2 * inner, shape.hidden_size) + max(inner, shape.hidden_size)
    return 2 * shape.experts_per_token * widths


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


def _sampler_bytes(shape: ModelShape, batch: Batch, runner: Runner) -> float:
    """Logits of every sequence, and what becomes of them, beside the batch's last hidden states."""
    sequences = min(batch.sequences, batch.tokens)
    return LOGITS[runner] * sequences * shape.vocabulary + 2 * (batch.tokens + sequences) * shape.hidden_size
