"""`--hf-overrides` on a config.json, as vLLM 0.32 applies them to it (`ModelConfig.__post_init__`).

Plain values take the place of those at the top. An object does too, unless it stands for a part of the model that has
a configuration of its own, such as `text_config`: that is changed key by key, and the objects in it too. What is at the
top of a model that also sees does not reach its text.
"""

import json
from collections.abc import Mapping
from typing import Any

from components.model.sizing.context import KINDS_OF_LAYERS

ROPE = ("rope_parameters", "rope_scaling")
"""Two names of one thing; transformers 5 knows both."""

_ALIASES = (
    ("max_position_embeddings", "n_positions"),
    ("hidden_size", "n_embd", "n_embed"),
    ("num_hidden_layers", "n_layer"),
    ("num_attention_heads", "n_head"),
    ("intermediate_size", "n_inner"),
    ROPE,
)
# Their config.json has the text at the top, and transformers moves it.
_FLAT = ("qwen2_vl", "qwen2_5_vl")
_OF_THE_WHOLE = ("architectures", "model_type", "vision_config", "auto_map")
_NO_PART = ("quantization_config", "compression_config")


class OverridesError(Exception):
    """Overrides that vLLM does not take; one line, without values."""


def overrides_of(vllm_args: Mapping[str, Any]) -> Mapping[str, Any]:
    """The value of the flag, which may be JSON text; `OverridesError` when it is no object."""
    given = vllm_args.get("hf-overrides") or {}
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except ValueError:
            given = None
    if not isinstance(given, Mapping):
        raise OverridesError("hf-overrides takes an object, such as {max_position_embeddings: 65536}")
    for name in ROPE:
        if isinstance(rope := given.get(name), Mapping) and not _names_its_type(rope):
            raise OverridesError(
                f"hf-overrides: {name} takes the place of the model's whole and has no rope_type, which vLLM 0.32 needs"
            )
    return given


def _names_its_type(rope: Mapping[str, Any]) -> bool:
    """Of all layers, or of each kind of layers that it speaks of."""
    parts = list(rope.values()) if rope and rope.keys() <= KINDS_OF_LAYERS else [rope]
    return all("rope_type" in part for part in parts if isinstance(part, Mapping))


def overridden(config: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration that results."""
    changed = _with_its_parts(config) if overrides else dict(config)
    for name, value in overrides.items():
        part = changed.get(name)
        if isinstance(value, Mapping) and isinstance(part, Mapping) and _is_part(name):
            changed[name] = _merged(part, value)
        else:
            _put(changed, name, value)
    return changed


def _with_its_parts(config: Mapping[str, Any]) -> dict[str, Any]:
    if config.get("model_type") not in _FLAT or "text_config" in config:
        return dict(config)
    whole = {key: value for key, value in config.items() if key in _OF_THE_WHOLE}
    return {**whole, "text_config": {key: value for key, value in config.items() if key not in _OF_THE_WHOLE}}


def _is_part(name: str) -> bool:
    return name.endswith("_config") and name not in _NO_PART


def _merged(part: Mapping[str, Any], updates: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(part)
    for name, value in updates.items():
        present = next((merged[key] for key in _names(name) if isinstance(merged.get(key), Mapping)), None)
        if isinstance(value, Mapping) and (present is not None or name in ROPE):
            value = _merged(present or {}, value)
        _put(merged, name, value)
    return merged


def _put(config: dict[str, Any], name: str, value: Any) -> None:
    for other in _names(name):
        config.pop(other, None)
    config[name] = value


def _names(name: str) -> tuple[str, ...]:
    return next((names for names in _ALIASES if name in names), (name,))
