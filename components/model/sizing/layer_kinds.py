"""What each layer of a decoder keeps of a sequence: all keys, those of a window, a state of fixed size, or nothing."""

from components.model.sizing.config_reader import ConfigReader
from components.model.sizing.model_shape import ShapeError
from components.text.counted import counted

FULL, WINDOWED, CHUNKED, LINEAR, IDLE = (
    *("full_attention", "sliding_attention", "chunked_attention", "linear_attention"),
    "no_attention",
)
_SAME = {"attention": FULL, "local_attention": WINDOWED}
# Qwen 2 to 3 write a window that is not used unless this says so.
_WINDOW_SWITCH = "use_sliding_window"
# Where the configuration has a window and does not say which layers have it: one in so many has none. All others of
# vLLM's models use it in every layer.
_PERIODS = {"gemma2": 2, "gpt_oss": 2, "gemma3_text": 6, "cohere2": 4, "exaone4": 4}
_LLAMA_4 = ("llama4", "llama4_text")
# What marks a kind of layers that is not known here.
_UNKNOWN = {
    "state-space (Mamba) layers": ("mamba_d_state", "ssm_state_size", "state_size", "hybrid_override_pattern"),
    "linear layers of another kind": ("linear_attn_config", "attn_type_list", "layers_block_type"),
    "layers of attention of several sizes": (
        *("global_head_dim", "num_global_key_value_heads", "swa_num_key_value_heads", "swa_head_dim"),
        *("hybrid_layer_pattern", "interleaved_sliding_window", "rswa_window"),
    ),
    "layers that share their keys": ("num_kv_shared_layers", "cla_share_factor"),
    "layers with compressed or sparse attention": ("compress_ratios", "index_topk"),
    "layers with attention to images": ("cross_attention_layers",),
}


def layer_kinds(config: ConfigReader, layers: int) -> list[str]:
    """The kind of each layer: written out, or by a rule such as every sixth is full; `ShapeError` for unknown ones."""
    for what, marks in _UNKNOWN.items():
        if any(config.value(mark) for mark in marks):
            raise ShapeError(f"{what} cannot be sized")
    if config.value("block_configs"):
        return _of_blocks(config, layers)
    if isinstance(written := config.value("layer_types"), list | tuple):
        kinds = [_SAME.get(str(kind), str(kind)) for kind in written[:layers]]
        if unknown := set(kinds) - {FULL, WINDOWED, CHUNKED, LINEAR}:
            raise ShapeError(f"config.json: layers of kind {min(unknown)} cannot be sized")
        if len(kinds) == layers:
            return kinds if window(config) else [LINEAR if kind == LINEAR else FULL for kind in kinds]
    if period := config.number("full_attention_interval", default=0):
        return [FULL if (i + 1) % period == 0 else LINEAR for i in range(layers)]
    if config.value("attention_chunk_size"):
        return _chunked(config, layers)
    return _windowed(config, layers) if window(config) else [FULL] * layers


def window(config: ConfigReader) -> int:
    """Tokens that a layer with a window looks back, or that a chunk has; 0 when there is none."""
    if config.value(_WINDOW_SWITCH) is False:
        return 0
    return config.number("sliding_window", "attention_chunk_size", default=0)


def _windowed(config: ConfigReader, layers: int) -> list[str]:
    pattern = config.value("sliding_window_pattern") or config.value("_sliding_window_pattern")
    if isinstance(pattern, str):
        # As of EXAONE: a letter for each layer of a period, L for local and G for global.
        return [WINDOWED if pattern[i % len(pattern)] == "L" else FULL for i in range(layers)]
    period = config.number("sliding_window_pattern", "_sliding_window_pattern", default=0) or _PERIODS.get(
        str(config.value("model_type")), 0
    )
    if period:
        return [FULL if (i + 1) % period == 0 else WINDOWED for i in range(layers)]
    if config.value(_WINDOW_SWITCH) and config.number("max_window_layers", default=layers) < layers:
        raise ShapeError("a window in some layers only (use_sliding_window, max_window_layers) cannot be sized")
    return [WINDOWED] * layers


def _chunked(config: ConfigReader, layers: int) -> list[str]:
    """Llama 4: layers without rotary positions see everything; by a list, or one in four."""
    if str(config.value("model_type")) not in _LLAMA_4:
        raise ShapeError("config.json: attention_chunk_size without layer_types cannot be sized")
    rotary = config.value("no_rope_layers")
    if isinstance(rotary, list | tuple) and len(rotary) >= layers:
        return [CHUNKED if has else FULL for has in rotary[:layers]]
    period = config.number("no_rope_layer_interval", default=4)
    return [FULL if (i + 1) % period == 0 else CHUNKED for i in range(layers)]


def widest_block(config: ConfigReader, hidden: int) -> int:
    """Width of the widest MLP where each block has its own, 0 elsewhere. Rounded as Nemotron's own code does it."""
    shares = [block["ffn"].get("ffn_mult") or 0 for block in config.value("block_configs") or ()]
    return -(-int(2 * max(shares, default=0) * hidden / 3) // 256) * 256


def _of_blocks(config: ConfigReader, layers: int) -> list[str]:
    attentions = [block["attention"] for block in config.value("block_configs")]
    if len(attentions) != layers:
        raise ShapeError(f"config.json has {len(attentions)} block_configs for {counted(layers, 'layer')}")
    return [IDLE if one.get("no_op") or one.get("replace_with_linear") else FULL for one in attentions]
