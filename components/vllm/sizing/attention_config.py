"""The attention of a model, from its config.json: what it keeps of each token, and of each sequence."""

from dataclasses import dataclass

from components.vllm.sizing.config_reader import ConfigReader
from components.vllm.sizing.model_shape import ShapeError

_WINDOWED = ("sliding_attention", "chunked_attention", "local_attention")
# Qwen 2 to 3 write a window that is not used unless this says so.
_WINDOW_SWITCH = "use_sliding_window"


@dataclass(frozen=True)
class Attention:
    """Fields as in `ModelShape`."""

    heads: int
    kv_heads: int
    head_dim: int
    rotary_dim: int
    latent_dim: int
    value_head_dim: int
    window: int
    windowed_layers: int
    state_layers: int
    state_bytes: int


def attention_of(config: ConfigReader, layers: int) -> Attention:
    """Read heads, latent dimensions, windows and linear layers; `ShapeError` for a kind that is not known."""
    heads = config.number("num_attention_heads", "n_head")
    head_dim = config.number("head_dim", default=0) or config.number("hidden_size", "n_embd") // heads
    rotary = round(head_dim * float(config.value("partial_rotary_factor") or 1.0))
    latent, value_head_dim = 0, head_dim
    if config.value("kv_lora_rank"):
        rotary = config.number("qk_rope_head_dim")
        latent = config.number("kv_lora_rank") + rotary
        head_dim = config.number("qk_nope_head_dim") + rotary
        value_head_dim = config.number("v_head_dim")
    kinds = _layer_kinds(config, layers)
    state_layers = sum(kind == "linear_attention" for kind in kinds)
    windowed_layers = sum(kind in _WINDOWED for kind in kinds)
    return Attention(
        heads=heads,
        kv_heads=config.number("num_key_value_heads", default=heads),
        head_dim=head_dim,
        rotary_dim=rotary,
        latent_dim=latent,
        value_head_dim=value_head_dim,
        window=_window(config) if windowed_layers else 0,
        windowed_layers=windowed_layers,
        state_layers=state_layers,
        state_bytes=_state_bytes(config) if state_layers else 0,
    )


def _layer_kinds(config: ConfigReader, layers: int) -> list[str]:
    """Kind of each layer: written out, or by a rule such as every sixth is full."""
    if isinstance(written := config.value("layer_types"), list | tuple):
        kinds = [str(kind) for kind in written[:layers]]
        unknown = set(kinds) - {"full_attention", "attention", "linear_attention", *_WINDOWED}
        if unknown:
            raise ShapeError(f"config.json: layers of kind {sorted(unknown)[0]} cannot be sized")
        if len(kinds) == layers:
            return kinds
    if config.value("mamba_d_state") or config.value("ssm_state_size"):
        raise ShapeError("state-space (Mamba) layers cannot be sized")
    if period := config.number("full_attention_interval", default=0):
        return ["full_attention" if (i + 1) % period == 0 else "linear_attention" for i in range(layers)]
    if not _window(config):
        return ["full_attention"] * layers
    if period := config.number("sliding_window_pattern", "_sliding_window_pattern", default=0):
        return ["full_attention" if (i + 1) % period == 0 else "sliding_attention" for i in range(layers)]
    return ["sliding_attention"] * layers


def _window(config: ConfigReader) -> int:
    if config.value(_WINDOW_SWITCH) is False:
        return 0
    return config.number("sliding_window", "attention_chunk_size", default=0)


def _state_bytes(config: ConfigReader) -> int:
    """Gated delta net: a matrix for each value head, and the last inputs of the convolution, in 16 bits."""
    keys = config.number("linear_num_key_heads") * config.number("linear_key_head_dim")
    value_heads, value_dim = config.number("linear_num_value_heads"), config.number("linear_value_head_dim")
    matrix = value_heads * value_dim * config.number("linear_key_head_dim")
    convolution = (2 * keys + value_heads * value_dim) * (config.number("linear_conv_kernel_dim") - 1)
    return 2 * (matrix + convolution)
