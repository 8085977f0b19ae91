"""The kinds of model that the hub makes: which class of transformers, and how its weights are laid out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Kind:
    """A class of transformers."""

    word: str
    """As people call it."""
    architecture: str
    model_type: str
    is_fused: bool = False
    """Whether query, key and value are one matrix, and gate and up another."""
    has_biases: bool = False
    """Of query, key and value."""
    is_tied: bool = False
    """Whether the embedding is the output too."""
    keys: Mapping[str, Any] = field(default_factory=dict)
    """What else stands in `config.json`."""


LLAMA = Kind(
    "Llama",
    "LlamaForCausalLM",
    "llama",
    keys={"attention_bias": False, "attention_dropout": 0.0, "mlp_bias": False, "pretraining_tp": 1},
)
QWEN_2 = Kind(
    "Qwen 2",
    "Qwen2ForCausalLM",
    "qwen2",
    has_biases=True,
    keys={"attention_dropout": 0.0, "max_window_layers": 28, "sliding_window": 131072, "use_sliding_window": False},
)
PHI_3 = Kind(
    "Phi 3",
    "Phi3ForCausalLM",
    "phi3",
    is_fused=True,
    is_tied=True,
    keys={
        "attention_bias": False,
        "attention_dropout": 0.0,
        "original_max_position_embeddings": 4096,
        "partial_rotary_factor": 0.75,
        "sliding_window": 262144,
    },
)
