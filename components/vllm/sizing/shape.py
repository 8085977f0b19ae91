"""Reading the shape of a model from what its repository holds: config.json and the headers of the weights."""

from components.vllm.hub.checkpoint import Checkpoint
from components.vllm.hub.quantisation import cache_dtype_of
from components.vllm.sizing.attention_config import attention_of
from components.vllm.sizing.config_reader import ConfigReader
from components.vllm.sizing.encoder import encoder_token_bytes
from components.vllm.sizing.fused import loaded_weights
from components.vllm.sizing.model_shape import LayerRun, ModelShape, ShapeError
from components.vllm.sizing.positions import position_rows
from components.vllm.sizing.quantisation import quantisation_of

MOST_LAYERS = 10_000
_POSITIVE = (
    "weights_bytes", "layers", "hidden_size", "heads", "kv_heads", "head_dim", "vocabulary", "max_context",
    "quantisation_block",
)  # fmt: skip

__all__ = ["LayerRun", "ModelShape", "ShapeError", "shape_of"]


def shape_of(checkpoint: Checkpoint) -> ModelShape:
    """Shape of a decoder, also of one that stands under `text_config` in a multimodal model; `ShapeError` otherwise."""
    try:
        return _sound(_shape_of(checkpoint))
    except ShapeError as error:
        raise ShapeError(f"{checkpoint.model}: {error}") from None
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # A config.json may hold anything anywhere.
        raise ShapeError(f"{checkpoint.model}: config.json is of no known form ({type(error).__name__})") from None


def _sound(shape: ModelShape) -> ModelShape:
    """The same; `ShapeError` when a number that others are divided by, or counted in, cannot be."""
    for name in _POSITIVE:
        if getattr(shape, name) < 1:
            raise ShapeError(f"config.json gives the model {getattr(shape, name)} as {name.replace('_', ' ')}")
    if shape.experts_per_token > shape.experts or shape.windowed_layers + shape.state_layers > shape.layers:
        raise ShapeError("config.json contradicts itself: a part of the model is more than the whole")
    return shape


def _shape_of(checkpoint: Checkpoint) -> ModelShape:
    config = ConfigReader(checkpoint.config)
    layers = config.number("num_hidden_layers", "n_layer")
    if layers > MOST_LAYERS:
        raise ShapeError(f"config.json says {layers} layers, which no model has")
    weights = loaded_weights(checkpoint.tensors, layers)
    attention = attention_of(config, layers)
    quantisation = quantisation_of(checkpoint.config)
    experts = config.number("num_local_experts", "num_experts", "n_routed_experts", default=0)
    hidden = config.number("hidden_size", "n_embd")
    intermediate = config.number("intermediate_size", "n_inner", default=4 * hidden)
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
        heads=attention.heads,
        kv_heads=attention.kv_heads,
        head_dim=attention.head_dim,
        vocabulary=config.number("vocab_size"),
        max_context=config.max_context,
        rotary_dim=attention.rotary_dim,
        position_rows=position_rows(config),
        sliding_window=attention.window,
        windowed_layers=attention.windowed_layers,
        latent_dim=attention.latent_dim,
        value_head_dim=attention.value_head_dim,
        state_layers=attention.state_layers,
        state_bytes=attention.state_bytes,
    )


def _shared(checkpoint: Checkpoint) -> bool:
    return any("shared_expert" in name for name in checkpoint.tensors)
