"""The models of the hub: real names and real traits, tiny sizes."""

from dataclasses import dataclass
from typing import Any, Literal

from localcloud.hub.prompt_formats import CHATML, LLAMA_3, PromptFormat


@dataclass(frozen=True)
class ModelSpec:
    """What a repository is made from; all models are of the architecture `LlamaForCausalLM`."""

    name: str
    """`organisation/repository`, as on huggingface.co."""
    gated: Literal["manual", False]
    prompt_format: PromptFormat
    layers: int
    shards: int
    """Number of safetensors files."""
    context_length: int
    """Longest sequence in tokens."""
    rope_theta: float
    rope_scaling: dict[str, Any] | None
    original_checkpoint: bool
    """Whether the authors' own format lies beside the safetensors, under `original/`, as in Meta's repositories."""


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
        layers=layers,
        shards=shards,
        context_length=131072,
        rope_theta=500000.0,
        rope_scaling=LLAMA_31_ROPE_SCALING,
        original_checkpoint=True,
    )


MODELS = (
    _llama_31("8B", layers=4, shards=1),
    _llama_31("70B", layers=10, shards=2),
    ModelSpec(
        name="HuggingFaceTB/SmolLM2-135M-Instruct",
        gated=False,
        prompt_format=CHATML,
        layers=3,
        shards=1,
        context_length=8192,
        rope_theta=100000.0,
        rope_scaling=None,
        original_checkpoint=False,
    ),
)

FORMER_NAMES = {
    "meta-llama/Meta-Llama-3.1-8B-Instruct": "meta-llama/Llama-3.1-8B-Instruct",
    "meta-llama/Meta-Llama-3.1-70B-Instruct": "meta-llama/Llama-3.1-70B-Instruct",
}
"""Renamed repositories; huggingface.co redirects the old name."""


def find_model(name: str) -> ModelSpec | None:
    """The model that `name` means: its name, a former name, either in any case."""
    current = {old.lower(): new for old, new in FORMER_NAMES.items()}.get(name.lower(), name)
    return next((model for model in MODELS if model.name.lower() == current.lower()), None)
