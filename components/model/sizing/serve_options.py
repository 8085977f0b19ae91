"""What is asked of a server, as far as its size depends on it."""

from dataclasses import dataclass

from components.model.sizing.memory import DEFAULT_UTILISATION, Batch, Runner


@dataclass(frozen=True)
class ServeOptions:
    """The flags of `vllm serve` that matter to memory; None leaves the choice to the sizing, or to vLLM's default."""

    max_model_len: int | None = None
    cpu_offload_gib: float | None = None
    """For each GPU, as `--cpu-offload-gb`."""
    kv_cache_dtype: str = "auto"
    gpu_memory_utilization: float = DEFAULT_UTILISATION
    max_num_batched_tokens: int | None = None
    max_num_seqs: int | None = None
    tensor_parallel_size: int | None = None
    """Of one copy."""
    data_parallel_size: int = 1
    """Copies of the model, each on its own part of the machine."""
    enforce_eager: bool = False
    dtype: str = "auto"
    beyond_context: bool = False
    """Whether vLLM takes a `max_model_len` that is more than the model's own (`VLLM_ALLOW_LONG_MAX_MODEL_LEN`)."""
    runner: Runner = "v2"
    """Which of vLLM's model runners serves."""
    pins_offloaded: bool = True
    """False when offloaded weights take pageable memory of the host, without rounding."""

    def batch(self, default: Batch) -> Batch:
        """The batch that results, given vLLM's default for the GPU."""
        return Batch(self.max_num_batched_tokens or default.tokens, self.max_num_seqs or default.sequences)
