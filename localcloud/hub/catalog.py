"""The models of the hub: real names and real traits in tiny sizes, and a few that announce their full size."""

from dataclasses import dataclass, replace
from typing import Any, Literal

from localcloud.hub.dimensions import LLAMA_31_8B, LLAMA_31_70B, Dimensions, tiny
from localcloud.hub.kinds import LLAMA, PHI_3, QWEN_2, Kind
from localcloud.hub.prompt_formats import CHATML, LLAMA_3, PromptFormat


@dataclass(frozen=True)
class ModelSpec:
    """What a repository is made from."""

    name: str
    """`owner/repository`; that of a tiny model is as on huggingface.co."""
    gated: Literal["manual", False]
    prompt_format: PromptFormat
    dimensions: Dimensions
    weights: Literal["random", "announced", "announced-fp8"]
    """Made on the spot, or of full size and only announced (`announced.py`)."""
    shards: int | None
    """Number of safetensors files; `None` where their size decides."""
    context_length: int
    """Longest sequence in tokens."""
    rope_theta: float
    rope_scaling: dict[str, Any] | None
    original_checkpoint: bool
    """Whether the authors' own format lies beside the safetensors, under `original/`, as in Meta's repositories."""
    kind: Kind = LLAMA


LLAMA_31_ROPE_SCALING = {
    "factor": 8.0,
    "high_freq_factor": 4.0,
    "low_freq_factor": 1.0,
    "original_max_position_embeddings": 8192,
    "rope_type": "llama3",
}


def _llama_31(size: str, layers: int, shards: int) -> ModelSpec:
    return ModelSpec(
        name=f"meta-llama/Llama-3.1-{size}-Instruct",
        gated="manual",
        prompt_format=LLAMA_3,
        dimensions=tiny(layers),
        weights="random",
        shards=shards,
        context_length=131072,
        rope_theta=500000.0,
        rope_scaling=LLAMA_31_ROPE_SCALING,
        original_checkpoint=True,
    )


def _full_size(name: str, dimensions: Dimensions, is_fp8: bool = False) -> ModelSpec:
    """As the tiny one of the name, but for what its size touches."""
    return replace(
        _llama_31("8B", layers=1, shards=1),
        name=f"full-size/{name}",
        gated=False,
        dimensions=dimensions,
        weights="announced-fp8" if is_fp8 else "announced",
        shards=None,
        original_checkpoint=not is_fp8,
    )


MODELS = (
    _llama_31("8B", layers=4, shards=1),
    _llama_31("70B", layers=10, shards=2),
    ModelSpec(
        name="HuggingFaceTB/SmolLM2-135M-Instruct",
        gated=False,
        prompt_format=CHATML,
        dimensions=tiny(3),
        weights="random",
        shards=1,
        context_length=8192,
        rope_theta=100000.0,
        rope_scaling=None,
        original_checkpoint=False,
    ),
    # Served with 4,096 tokens unless more are asked for.
    ModelSpec(
        name="microsoft/Phi-4-mini-instruct",
        gated=False,
        prompt_format=CHATML,
        dimensions=tiny(3),
        weights="random",
        shards=1,
        context_length=131072,
        rope_theta=10000.0,
        # A factor for each of the 12 pairs of numbers that are turned.
        rope_scaling={"type": "longrope", "short_factor": [1.0] * 12, "long_factor": [1.0 + n for n in range(12)]},
        original_checkpoint=False,
        kind=PHI_3,
    ),
    # Its card says how to serve four times the context, by YaRN.
    ModelSpec(
        name="Qwen/Qwen2.5-7B-Instruct",
        gated=False,
        prompt_format=CHATML,
        dimensions=tiny(3),
        weights="random",
        shards=1,
        context_length=32768,
        rope_theta=1000000.0,
        rope_scaling=None,
        original_checkpoint=False,
        kind=QWEN_2,
    ),
)

FULL_SIZE_MODELS = (
    _full_size("Llama-3.1-8B-Instruct", LLAMA_31_8B),
    _full_size("Llama-3.1-70B-Instruct", LLAMA_31_70B),
    _full_size("Llama-3.1-70B-Instruct-FP8", LLAMA_31_70B, is_fp8=True),
)
"""For preflight and sizing: headers, config and sizes are those of the real models, the numbers are zeros."""

FORMER_NAMES = {
    "meta-llama/Meta-Llama-3.1-8B-Instruct": "meta-llama/Llama-3.1-8B-Instruct",
    "meta-llama/Meta-Llama-3.1-70B-Instruct": "meta-llama/Llama-3.1-70B-Instruct",
}
"""Renamed repositories; huggingface.co redirects the old name."""


def find_model(name: str) -> ModelSpec | None:
    """The model that `name` means: its name, a former name, either in any case."""
    current = {old.lower(): new for old, new in FORMER_NAMES.items()}.get(name.lower(), name)
    return next((model for model in MODELS + FULL_SIZE_MODELS if model.name.lower() == current.lower()), None)
