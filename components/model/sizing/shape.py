"""Reading the shape of a model from what its repository holds: config.json and the headers of the weights."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from components.model.hub.checkpoint import Checkpoint
from components.model.sizing.attention_config import attention_of
from components.model.sizing.config_reader import ConfigReader
from components.model.sizing.context import context_of
from components.model.sizing.encoder import encoder_token_bytes
from components.model.sizing.fused import loaded_weights
from components.model.sizing.layer_kinds import widest_block
from components.model.sizing.model_shape import LayerRun, ModelShape, ShapeError
from components.model.sizing.overrides import overridden
from components.model.sizing.quantisation import quantisation_of
from components.vllm.release.quantisation import cache_dtype_of

MOST_LAYERS = 10_000
_WIDTHS = ("intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size")
_POSITIVE = (
    "weights_bytes", "layers", "hidden_size", "heads", "kv_heads", "head_dim", "vocabulary", "max_context",
    "quantisation_block",
)  # fmt: skip

# Long, and of no use to what can be overridden.
_NOT_KEPT = frozenset({"quantization_config", "compression_config", "vision_config", "audio_config", "auto_map"})

__all__ = ["LayerRun", "ModelShape", "ShapeError", "overridden_shape", "shape_of"]


def shape_of(checkpoint: Checkpoint) -> ModelShape:
    """Shape of a decoder, also of one that stands under `text_config` in a multimodal model; `ShapeError` otherwise."""
    try:
        return _sound(_shape_of(checkpoint))
    except ShapeError as error:
        raise ShapeError(f"{checkpoint.model}: {error}") from None
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # A config.json may hold anything anywhere.
        raise ShapeError(f"{checkpoint.model}: config.json is of no known form ({type(error).__name__})") from None


def overridden_shape(shape: ModelShape, overrides: Mapping[str, Any]) -> ModelShape:
    """The same with `--hf-overrides`: the weights stay; `ShapeError` when the new configuration cannot be sized."""
    if not overrides:
        return shape
    if not shape.source:
        raise ShapeError("the stored shape of the model is of an older version, without its config.json")
    try:
        config = ConfigReader(overridden(json.loads(shape.source), overrides))
        architecture = config.architecture
        return _sound(replace(shape, architecture=architecture, **_of_a_sequence(config, shape.layers)))
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise ShapeError(f"config.json with hf-overrides is of no known form ({type(error).__name__})") from None


def _sound(shape: ModelShape) -> ModelShape:
    """The same; `ShapeError` when a number that others are divided by, or counted in, cannot be."""
    for name in _POSITIVE:
        if getattr(shape, name) < 1:
            raise ShapeError(f"config.json gives the model {getattr(shape, name)} as {name.replace('_', ' ')}")
    if shape.experts_per_token > shape.experts or shape.full_layers < 0:
        raise ShapeError("config.json contradicts itself: a part of the model is more than the whole")
    return shape


def _shape_of(checkpoint: Checkpoint) -> ModelShape:
    config = ConfigReader(checkpoint.config)
    layers = config.number("num_hidden_layers", "n_layer")
    if layers > MOST_LAYERS:
        raise ShapeError(f"config.json says {layers} layers, which no model has")
    weights = loaded_weights(checkpoint.tensors, layers)
    quantisation = quantisation_of(checkpoint.config)
    experts = config.number("num_local_experts", "num_experts", "n_routed_experts", default=0)
    hidden = config.number("hidden_size", "n_embd", "n_embed")
    intermediate = config.number(*_WIDTHS, default=widest_block(config, hidden) or 4 * hidden)
    expert_intermediate = config.number("moe_intermediate_size", default=intermediate) if experts else 0
    routed_only = bool(experts) and all(run.expert_bytes for run in weights.decoder) and not _shared(checkpoint)
    return ModelShape(
        architecture=config.architecture,
        element_type=config.element_type,
        quantisation=quantisation.method,
        weight_format=quantisation.weights,
        quantised_activations=quantisation.activations,
        quantisation_block=quantisation.block,
        quantisation_schemes=quantisation.schemes,
        encoder_token_bytes=encoder_token_bytes(checkpoint.config),
        cache_dtype=cache_dtype_of(checkpoint.config),
        weights_bytes=weights.nbytes,
        decoder=weights.decoder,
        layers=layers,
        hidden_size=hidden,
        intermediate_size=0 if routed_only else intermediate,
        expert_intermediate_size=expert_intermediate,
        experts=experts,
        experts_per_token=config.number("num_experts_per_tok", "experts_per_token", "moe_topk") if experts else 0,
        vocabulary=config.number("vocab_size"),
        source=json.dumps({key: value for key, value in checkpoint.config.items() if key not in _NOT_KEPT}),
        **_of_a_sequence(config, layers),
    )


def _of_a_sequence(config: ConfigReader, layers: int) -> dict[str, Any]:
    """What does not depend on the weights: attention and context."""
    context = context_of(config)
    return {
        **vars(attention_of(config, layers)),
        "max_context": context.longest,
        "default_context": context.default,
        "position_rows": context.rows,
    }


def _shared(checkpoint: Checkpoint) -> bool:
    return any("shared_expert" in name for name in checkpoint.tensors)
