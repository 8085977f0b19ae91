"""What the vLLM that is pinned for GPUs can serve: architectures, as its release lists them."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from components.vllm.release.lists import GPU_TARGET, generated

_LIST: Mapping[str, Any] = generated("architectures", GPU_TARGET)

VLLM_VERSION: str = _LIST["vllm"]
"""The release that the list is of."""
_KIND: Mapping[str, str] = {name: kind for kind, names in _LIST["kinds"].items() for name in names}
_WRITES = ("text", "multimodal", "transformers")
_SERVES = {
    "embedding": "is an embedding model: it serves /v1/embeddings, not completions",
    "reward": "is a reward model: it serves /pooling, not completions",
    "classification": "is a classification model: it serves /classify, not completions",
    "transcription": "turns speech into text: it serves /v1/audio/transcriptions, not completions",
    "draft": "is a draft for speculative decoding: set `model` to the model it drafts for",
}
# How vLLM takes a name that it does not list: by its end (`_SUFFIX_TO_DEFAULTS` of vllm/config/model.py).
_WRITING_ENDS = ("ForCausalLM", "ForConditionalGeneration", "ChatModel", "LMHeadModel")
_POOLING_ENDS = (
    ("ForTextEncoding", "embedding"),
    ("EmbeddingModel", "embedding"),
    ("ForSequenceClassification", "classification"),
    ("ForTokenClassification", "classification"),
    ("ForAudioClassification", "classification"),
    ("ForImageClassification", "classification"),
    ("ForVideoClassification", "classification"),
    ("ClassificationModel", "classification"),
    ("ForRewardModeling", "reward"),
    ("RewardModel", "reward"),
    ("Model", "embedding"),
)


def unsupported(architectures: Sequence[str]) -> str | None:
    """Why the pinned vLLM does not serve completions of a model, in one line; `None` when it does.

    Args:
        architectures: `architectures` of config.json. vLLM takes the first one that it knows.
    """
    if not architectures:
        return "config.json names no architecture, so vLLM cannot tell how to run the model: choose another model"
    for name in architectures:
        if kind := _kind(name):
            return None if kind in _WRITES else f"{name} {_SERVES[kind]}"
    first = architectures[0]
    if first in _LIST["retired"]:
        last = _LIST["retired"][first]
        return f"{first} was supported until v{last} of vLLM, and v{VLLM_VERSION} is pinned: choose another model"
    if first in _LIST["plugins"]:
        plugin = _LIST["plugins"][first]
        return f"vLLM {VLLM_VERSION} serves {first} only with the plugin at {plugin}: choose another model"
    return f"vLLM {VLLM_VERSION} does not know the architecture {first}{_nearest(first)}: choose another model"


def only_by_transformers(architectures: Sequence[str]) -> bool:
    """Whether vLLM has no implementation of its own and runs that of transformers: slower, and it may fail."""
    return next((kind for kind in map(_kind, architectures) if kind is not None), None) == "transformers"


def _kind(architecture: str) -> str | None:
    if architecture in _KIND:
        return _KIND[architecture]
    if architecture in _LIST["retired"] or architecture in _LIST["plugins"]:
        return None
    for end, kind in _POOLING_ENDS:
        if architecture.endswith(end) and not architecture.endswith(_WRITING_ENDS):
            base = architecture.removesuffix(end)
            return kind if any(base + other in _KIND for other in (*_WRITING_ENDS, "Model")) else None
    return None


def _nearest(name: str) -> str:
    names = [known for known, kind in _KIND.items() if kind in _WRITES]
    found = difflib.get_close_matches(name, names, n=1, cutoff=0.8)
    return f" (the nearest it knows is {found[0]})" if found else ""
