"""What of the server's settings follows from the model and the machine, when the user leaves it to us."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.settings import Settings
from components.vllm.model_facts import ModelFacts
from components.vllm.sizing.fit import Wish, fit
from components.vllm.sizing.gpus import MachineSize

FLAGS_OF_WISH: Mapping[str, tuple[str, type, str]] = {
    "gpu-memory-utilization": ("gpu_memory_utilization", float, "a number such as 0.92"),
    "dtype": ("dtype", str, "a word such as half"),
    "kv-cache-dtype": ("kv_cache_dtype", str, "a word such as fp8"),
    "max-num-batched-tokens": ("max_num_batched_tokens", int, "a whole number"),
    "max-num-seqs": ("max_num_seqs", int, "a whole number"),
    "tensor-parallel-size": ("tensor_parallel_size", int, "a whole number"),
    "enforce-eager": ("enforce_eager", bool, "true or false"),
}
"""Flags of `vllm serve` on which the memory depends: their names in a `Wish`, their types, and what to write."""


@dataclass(frozen=True)
class Decision:
    """Flags that depend on the machine that was launched."""

    cpu_offload_gb: float = 0
    """GiB for each GPU."""
    tensor_parallel_size: int = 1


def check_flags(settings: Settings) -> list[str]:
    """A line for each flag that cannot be reckoned with."""
    return [
        f"vllmArgs: {flag} takes {allowed}"
        for flag, (_, kind, allowed) in FLAGS_OF_WISH.items()
        if flag in settings.vllm_args and not _is_a(kind, settings.vllm_args[flag])
    ]


def _is_a(kind: type, value: object) -> bool:
    if kind is bool or isinstance(value, bool):
        return kind is bool and isinstance(value, bool)
    if kind is str:
        return isinstance(value, str)
    return isinstance(value, int) or (kind is float and isinstance(value, float))


def wish_of(settings: Settings) -> Wish:
    """What the user asks of the memory; None where it is left to us. The flags have passed `check_flags`."""
    given: dict[str, Any] = {
        name: settings.vllm_args[flag] for flag, (name, _, _) in FLAGS_OF_WISH.items() if flag in settings.vllm_args
    }
    return Wish(
        max_model_len=None if settings.max_model_len == "auto" else settings.max_model_len,
        cpu_offload_gib=None if settings.cpu_offload_gb == "auto" else settings.cpu_offload_gb,
        **given,
    )


def decide(facts: ModelFacts, machine: MachineSize | None, wish: Wish) -> Decision:
    """The flags for this model on this machine; without a GPU, or a shape, those that the user gave."""
    if machine is None or facts.shape is None:
        return Decision(wish.cpu_offload_gib or 0, wish.tensor_parallel_size or 1)
    found = fit(facts.shape, machine, wish)
    return Decision(found.cpu_offload_gib, found.tensor_parallel_size)
