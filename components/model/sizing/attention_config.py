"""The attention of a model, from its config.json: what it keeps of each token, and of each sequence."""

from dataclasses import dataclass

from components.model.sizing.config_reader import ConfigReader
from components.model.sizing.layer_kinds import CHUNKED, FULL, IDLE, LINEAR, WINDOWED, layer_kinds, window
from components.model.sizing.model_shape import ShapeError

_HEADS = ("num_attention_heads", "n_head")
# In the order in which vLLM looks for them (`get_total_num_kv_heads`).
_KEY_HEADS = ("n_head_kv", "num_kv_heads", "num_key_value_heads", "multi_query_group_num", "num_attention_groups")
# Kinds whose latent vLLM 0.32 keeps as it is (`is_deepseek_mla`); it lays out the keys of others.
_LATENT = frozenset(
    {
        *("axk1", "deepseek_v2", "deepseek_v3", "kimi_k2", "glm4_moe_lite", "longcat_flash", "pangu_ultra_moe"),
        "dots3_note",
    }
)


@dataclass(frozen=True)
class Attention:
    """Fields as in `ModelShape`."""

    heads: int
    kv_heads: int
    head_dim: int
    rotary_dim: int
    latent_dim: int
    value_head_dim: int
    sliding_window: int
    windowed_layers: int
    has_chunks: bool
    state_layers: int
    state_bytes: int
    idle_layers: int
    kv_heads_by_layer: tuple[int, ...]


def attention_of(config: ConfigReader, layers: int) -> Attention:
    """Read heads, latent dimensions, windows and linear layers; `ShapeError` for a kind that is not known."""
    heads = config.number(*_HEADS)
    head_dim = config.number("head_dim", default=0) or config.number("hidden_size", "n_embd", "n_embed") // heads
    rotary = round(head_dim * float(config.value("partial_rotary_factor") or config.value("rotary_pct") or 1.0))
    latent, value_head_dim = 0, head_dim
    if config.value("kv_lora_rank"):
        if str(config.value("model_type")) not in _LATENT:
            raise ShapeError("latent attention of this kind cannot be sized")
        rotary = config.number("qk_rope_head_dim")
        latent = config.number("kv_lora_rank") + rotary
        head_dim = config.number("qk_nope_head_dim") + rotary
        value_head_dim = config.number("v_head_dim")
    kinds = layer_kinds(config, layers)
    windowed = sum(kind in (WINDOWED, CHUNKED) for kind in kinds)
    each = _kv_heads(config, heads, kinds)
    if WINDOWED in kinds and CHUNKED in kinds:
        raise ShapeError("layers with windows and others with chunks cannot be sized")
    return Attention(
        heads=heads,
        kv_heads=max(each),
        head_dim=head_dim,
        rotary_dim=rotary,
        latent_dim=latent,
        value_head_dim=value_head_dim,
        sliding_window=window(config) if windowed else 0,
        windowed_layers=windowed,
        has_chunks=CHUNKED in kinds,
        state_layers=kinds.count(LINEAR),
        state_bytes=_state_bytes(config) if LINEAR in kinds else 0,
        idle_layers=kinds.count(IDLE),
        kv_heads_by_layer=each if len(set(each)) > 1 else (),
    )


def _kv_heads(config: ConfigReader, heads: int, kinds: list[str]) -> tuple[int, ...]:
    """Of each layer with full attention where blocks have their own, else of all."""
    if blocks := config.value("block_configs"):
        pairs = zip(blocks, kinds, strict=True)
        return tuple(heads // int(block["attention"]["n_heads_in_group"]) for block, kind in pairs if kind == FULL)
    if config.value("multi_query") and not config.value("new_decoder_architecture"):
        return (1,)
    return (config.number(*_KEY_HEADS, default=heads),)


def _state_bytes(config: ConfigReader) -> int:
    """Gated delta net: a matrix for each value head, and the last inputs of the convolution, in 16 bits; the matrix in
    32 where the configuration asks for that."""
    keys = config.number("linear_num_key_heads") * config.number("linear_key_head_dim")
    value_heads, value_dim = config.number("linear_num_value_heads"), config.number("linear_value_head_dim")
    matrix = value_heads * value_dim * config.number("linear_key_head_dim")
    convolution = (2 * keys + value_heads * value_dim) * (config.number("linear_conv_kernel_dim") - 1)
    return matrix * (4 if config.value("mamba_ssm_dtype") == "float32" else 2) + 2 * convolution
