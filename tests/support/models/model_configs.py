"""config.json of well-known models, and the headers of the weights that such models have."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Literal

from components.model.hub.checkpoint import Checkpoint, TensorHeader
from components.model.sizing.shape import ModelShape, shape_of
from tests.support.models.quantised import NVFP4

Stored = Literal["bf16", "fp8", "int4", "nvfp4"]


def _llama(hidden: int, intermediate: int, heads: int, layers: int) -> dict[str, Any]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": hidden,
        "intermediate_size": intermediate,
        "max_position_embeddings": 131072,
        "num_attention_heads": heads,
        "num_hidden_layers": layers,
        "num_key_value_heads": 8,
        "rms_norm_eps": 1e-05,
        "rope_scaling": {
            "factor": 8.0,
            "high_freq_factor": 4.0,
            "low_freq_factor": 1.0,
            "original_max_position_embeddings": 8192,
            "rope_type": "llama3",
        },
        "rope_theta": 500000.0,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "vocab_size": 128256,
    }


def _qwen3(hidden: int, intermediate: int, heads: int, layers: int, **rest: Any) -> dict[str, Any]:
    return {
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "head_dim": 128,
        "hidden_size": hidden,
        "intermediate_size": intermediate,
        "max_position_embeddings": 40960,
        "num_attention_heads": heads,
        "num_hidden_layers": layers,
        "num_key_value_heads": 8,
        "rope_scaling": None,
        "sliding_window": None,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "use_sliding_window": False,
        "vocab_size": 151936,
        **rest,
    }


def _qwen3_moe(hidden: int, heads: int, layers: int, expert: int) -> dict[str, Any]:
    return _qwen3(
        hidden,
        3 * hidden,
        heads,
        layers,
        architectures=["Qwen3MoeForCausalLM"],
        model_type="qwen3_moe",
        num_key_value_heads=4,
        num_experts=128,
        num_experts_per_tok=8,
        moe_intermediate_size=expert,
    )


def _mixtral(hidden: int, intermediate: int, heads: int, layers: int, context: int, vocabulary: int) -> dict[str, Any]:
    return {
        "architectures": ["MixtralForCausalLM"],
        "model_type": "mixtral",
        "hidden_size": hidden,
        "intermediate_size": intermediate,
        "max_position_embeddings": context,
        "num_attention_heads": heads,
        "num_experts_per_tok": 2,
        "num_hidden_layers": layers,
        "num_key_value_heads": 8,
        "num_local_experts": 8,
        "sliding_window": None,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "vocab_size": vocabulary,
    }


CONFIGS: Mapping[str, Mapping[str, Any]] = {
    "meta-llama/Llama-3.1-8B-Instruct": _llama(4096, 14336, 32, 32),
    "meta-llama/Llama-3.1-70B-Instruct": _llama(8192, 28672, 64, 80),
    "meta-llama/Llama-3.1-405B-Instruct": _llama(16384, 53248, 128, 126),
    "Qwen/Qwen3-8B": _qwen3(4096, 12288, 32, 36),
    "Qwen/Qwen3-32B": _qwen3(5120, 25600, 64, 64),
    "Qwen/Qwen3-30B-A3B": _qwen3_moe(2048, 32, 48, 768),
    "Qwen/Qwen3-235B-A22B": _qwen3_moe(4096, 64, 94, 1536),
    "mistralai/Mixtral-8x7B-Instruct-v0.1": _mixtral(4096, 14336, 32, 32, 32768, 32000),
    "mistralai/Mixtral-8x22B-Instruct-v0.1": _mixtral(6144, 16384, 48, 56, 65536, 32768),
    "openai/gpt-oss-120b": {
        "architectures": ["GptOssForCausalLM"],
        "model_type": "gpt_oss",
        "attention_bias": True,
        "experts_per_token": 4,
        "head_dim": 64,
        "hidden_size": 2880,
        "initial_context_length": 4096,
        "intermediate_size": 2880,
        "layer_types": ["sliding_attention", "full_attention"] * 18,
        "max_position_embeddings": 131072,
        "num_attention_heads": 64,
        "num_experts_per_tok": 4,
        "num_hidden_layers": 36,
        "num_key_value_heads": 8,
        "num_local_experts": 128,
        "quantization_config": {
            "modules_to_not_convert": ["model.layers.*.self_attn", "model.layers.*.mlp.router", "lm_head"],
            "quant_method": "mxfp4",
        },
        "rope_scaling": {
            "beta_fast": 32.0,
            "beta_slow": 1.0,
            "factor": 32.0,
            "original_max_position_embeddings": 4096,
            "rope_type": "yarn",
            "truncate": False,
        },
        "sliding_window": 128,
        "tie_word_embeddings": False,
        "vocab_size": 201088,
    },
    "deepseek-ai/DeepSeek-V3": {
        "architectures": ["DeepseekV3ForCausalLM"],
        "model_type": "deepseek_v3",
        "first_k_dense_replace": 3,
        "hidden_size": 7168,
        "intermediate_size": 18432,
        "kv_lora_rank": 512,
        "max_position_embeddings": 163840,
        "moe_intermediate_size": 2048,
        "n_routed_experts": 256,
        "n_shared_experts": 1,
        "num_attention_heads": 128,
        "num_experts_per_tok": 8,
        "num_hidden_layers": 61,
        "num_key_value_heads": 128,
        "num_nextn_predict_layers": 1,
        "q_lora_rank": 1536,
        "qk_nope_head_dim": 128,
        "qk_rope_head_dim": 64,
        "quantization_config": {
            "activation_scheme": "dynamic",
            "fmt": "e4m3",
            "quant_method": "fp8",
            "weight_block_size": [128, 128],
        },
        "rope_scaling": {"factor": 40, "original_max_position_embeddings": 4096, "type": "yarn"},
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "v_head_dim": 128,
        "vocab_size": 129280,
    },
    "google/gemma-3-27b-it": {
        "architectures": ["Gemma3ForConditionalGeneration"],
        "model_type": "gemma3",
        "text_config": {
            "head_dim": 128,
            "hidden_size": 5376,
            "intermediate_size": 21504,
            "model_type": "gemma3_text",
            "num_attention_heads": 32,
            "num_hidden_layers": 62,
            "num_key_value_heads": 16,
            "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
            "sliding_window": 1024,
        },
        "torch_dtype": "bfloat16",
        "vision_config": {"hidden_size": 1152, "num_hidden_layers": 27},
    },
}

COMPRESSED_FP8 = {
    "quant_method": "compressed-tensors",
    "format": "float-quantized",
    "config_groups": {
        "group_0": {
            "targets": ["Linear"],
            "weights": {"num_bits": 8, "type": "float", "strategy": "channel"},
            "input_activations": {"num_bits": 8, "type": "float", "strategy": "token", "dynamic": True},
        }
    },
}
COMPRESSED_INT4 = {
    "quant_method": "compressed-tensors",
    "format": "pack-quantized",
    "config_groups": {
        "group_0": {
            "targets": ["Linear"],
            "weights": {"num_bits": 4, "type": "int", "strategy": "group", "group_size": 128},
            "input_activations": None,
        }
    },
}
_QUANTISATION: Mapping[Stored, Mapping[str, Any] | None] = {
    "bf16": None,
    "fp8": COMPRESSED_FP8,
    "int4": COMPRESSED_INT4,
    "nvfp4": NVFP4,
}


def checkpoint(model: str, stored: Stored = "bf16", **changes: Any) -> Checkpoint:
    """One of these models, as published or with its matrices quantised; `changes` replace keys of config.json."""
    config = dict(CONFIGS[model])
    if section := _QUANTISATION[stored]:
        config["quantization_config"] = section
    return Checkpoint(model, "0" * 40, {**config, **changes}, (), dict(headers(CONFIGS[model], stored)))


@cache
def stored_shape(model: str, stored: Stored = "bf16") -> ModelShape:
    """The shape of one of these models; the large ones have a hundred thousand tensors, so each is read once."""
    return shape_of(checkpoint(model, stored))


def headers(config: Mapping[str, Any], stored: Stored = "bf16") -> Iterator[tuple[str, TensorHeader]]:
    """The safetensors headers of a model with this config.json."""
    if config["model_type"] == "gpt_oss":
        return _gpt_oss(config)
    if config["model_type"] == "gemma3":
        return _gemma3(config)
    if config["model_type"] == "deepseek_v3":
        return _deepseek(config)
    return _decoder(config, stored)


def _bf16(*shape: int) -> TensorHeader:
    return TensorHeader("BF16", shape)


def _matrix(name: str, rows: int, columns: int, stored: Stored) -> Iterator[tuple[str, TensorHeader]]:
    if stored == "fp8":
        yield f"{name}.weight", TensorHeader("F8_E4M3", (rows, columns))
        yield f"{name}.weight_scale", _bf16(rows, 1)
    elif stored == "int4":
        yield f"{name}.weight_packed", TensorHeader("I32", (rows, columns // 8))
        yield f"{name}.weight_scale", _bf16(rows, columns // 128)
        yield f"{name}.weight_shape", TensorHeader("I64", (2,))
    elif stored == "nvfp4":
        yield f"{name}.weight_packed", TensorHeader("U8", (rows, columns // 2))
        yield f"{name}.weight_scale", TensorHeader("F8_E4M3", (rows, columns // 16))
        yield f"{name}.weight_global_scale", TensorHeader("F32", (1,))
        yield f"{name}.input_global_scale", TensorHeader("F32", (1,))
    else:
        yield f"{name}.weight", _bf16(rows, columns)


def _decoder(config: Mapping[str, Any], stored: Stored, top: str = "model") -> Iterator[tuple[str, TensorHeader]]:
    hidden, vocabulary = config["hidden_size"], config["vocab_size"]
    yield f"{top}.embed_tokens.weight", _bf16(vocabulary, hidden)
    yield f"{top}.norm.weight", _bf16(hidden)
    yield "lm_head.weight", _bf16(vocabulary, hidden)
    for layer in range(config["num_hidden_layers"]):
        prefix = f"{top}.layers.{layer}"
        for norm in ("input_layernorm", "post_attention_layernorm"):
            yield f"{prefix}.{norm}.weight", _bf16(hidden)
        yield from _attention(config, prefix, stored)
        yield from _mlp(config, prefix, stored)


def _attention(config: Mapping[str, Any], prefix: str, stored: Stored) -> Iterator[tuple[str, TensorHeader]]:
    hidden, heads, kv_heads = config["hidden_size"], config["num_attention_heads"], config["num_key_value_heads"]
    head = config.get("head_dim", hidden // heads)
    for name, rows, columns in (
        ("q_proj", heads * head, hidden),
        ("k_proj", kv_heads * head, hidden),
        ("v_proj", kv_heads * head, hidden),
        ("o_proj", hidden, heads * head),
    ):
        yield from _matrix(f"{prefix}.self_attn.{name}", rows, columns, stored)
    if config["model_type"].startswith("qwen3"):
        yield f"{prefix}.self_attn.q_norm.weight", _bf16(head)
        yield f"{prefix}.self_attn.k_norm.weight", _bf16(head)


def _mlp(config: Mapping[str, Any], prefix: str, stored: Stored) -> Iterator[tuple[str, TensorHeader]]:
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    if config["model_type"] == "mixtral":
        block, names = "block_sparse_moe", ("w1", "w3", "w2")
        experts = config["num_local_experts"]
    elif "num_experts" in config:
        block, names, inner = "mlp", ("gate_proj", "up_proj", "down_proj"), config["moe_intermediate_size"]
        experts = config["num_experts"]
    else:
        yield from _gated(f"{prefix}.mlp", ("gate_proj", "up_proj", "down_proj"), hidden, inner, stored)
        return
    yield f"{prefix}.{block}.gate.weight", _bf16(experts, hidden)
    for expert in range(experts):
        yield from _gated(f"{prefix}.{block}.experts.{expert}", names, hidden, inner, stored)


def _gated(
    prefix: str, names: tuple[str, str, str], hidden: int, inner: int, stored: Stored
) -> Iterator[tuple[str, TensorHeader]]:
    gate, up, down = names
    yield from _matrix(f"{prefix}.{gate}", inner, hidden, stored)
    yield from _matrix(f"{prefix}.{up}", inner, hidden, stored)
    yield from _matrix(f"{prefix}.{down}", hidden, inner, stored)


def _gpt_oss(config: Mapping[str, Any]) -> Iterator[tuple[str, TensorHeader]]:
    hidden, vocabulary, experts = config["hidden_size"], config["vocab_size"], config["num_local_experts"]
    heads, kv_heads, head = config["num_attention_heads"], config["num_key_value_heads"], config["head_dim"]
    yield "model.embedding.weight", _bf16(vocabulary, hidden)
    yield "lm_head.weight", _bf16(vocabulary, hidden)
    for layer in range(config["num_hidden_layers"]):
        prefix = f"model.layers.{layer}"
        yield f"{prefix}.input_layernorm.weight", _bf16(hidden)
        yield f"{prefix}.post_attention_layernorm.weight", _bf16(hidden)
        yield f"{prefix}.self_attn.sinks", _bf16(heads)
        for name, rows, columns in (
            ("q_proj", heads * head, hidden),
            ("k_proj", kv_heads * head, hidden),
            ("v_proj", kv_heads * head, hidden),
            ("o_proj", hidden, heads * head),
        ):
            yield f"{prefix}.self_attn.{name}.weight", _bf16(rows, columns)
            yield f"{prefix}.self_attn.{name}.bias", _bf16(rows)
        yield f"{prefix}.mlp.router.weight", _bf16(experts, hidden)
        for name, rows in (("gate_up_proj", 2 * hidden), ("down_proj", hidden)):
            yield f"{prefix}.mlp.experts.{name}_blocks", TensorHeader("U8", (experts, rows, hidden // 32, 16))
            yield f"{prefix}.mlp.experts.{name}_scales", TensorHeader("U8", (experts, rows, hidden // 32))
            yield f"{prefix}.mlp.experts.{name}_bias", _bf16(experts, rows)


def _deepseek(config: Mapping[str, Any]) -> Iterator[tuple[str, TensorHeader]]:
    hidden, vocabulary, heads = config["hidden_size"], config["vocab_size"], config["num_attention_heads"]
    yield "model.embed_tokens.weight", _bf16(vocabulary, hidden)
    yield "lm_head.weight", _bf16(vocabulary, hidden)
    # One layer more than config.json counts: the draft for multi-token prediction.
    for layer in range(config["num_hidden_layers"] + config["num_nextn_predict_layers"]):
        prefix = f"model.layers.{layer}"
        yield f"{prefix}.input_layernorm.weight", _bf16(hidden)
        for name, rows, columns in (
            ("q_a_proj", config["q_lora_rank"], hidden),
            ("q_b_proj", heads * (config["qk_nope_head_dim"] + config["qk_rope_head_dim"]), config["q_lora_rank"]),
            ("kv_a_proj_with_mqa", config["kv_lora_rank"] + config["qk_rope_head_dim"], hidden),
            ("kv_b_proj", heads * (config["qk_nope_head_dim"] + config["v_head_dim"]), config["kv_lora_rank"]),
            ("o_proj", hidden, heads * config["v_head_dim"]),
        ):
            yield from _block_fp8(f"{prefix}.self_attn.{name}", rows, columns)
        if layer < config["first_k_dense_replace"]:
            yield from _gated_block_fp8(f"{prefix}.mlp", hidden, config["intermediate_size"])
            continue
        yield f"{prefix}.mlp.gate.weight", _bf16(config["n_routed_experts"], hidden)
        yield f"{prefix}.mlp.gate.e_score_correction_bias", TensorHeader("F32", (config["n_routed_experts"],))
        yield from _gated_block_fp8(f"{prefix}.mlp.shared_experts", hidden, config["moe_intermediate_size"])
        for expert in range(config["n_routed_experts"]):
            yield from _gated_block_fp8(f"{prefix}.mlp.experts.{expert}", hidden, config["moe_intermediate_size"])


def _block_fp8(name: str, rows: int, columns: int) -> Iterator[tuple[str, TensorHeader]]:
    yield f"{name}.weight", TensorHeader("F8_E4M3", (rows, columns))
    yield f"{name}.weight_scale_inv", TensorHeader("F32", (-(-rows // 128), -(-columns // 128)))


def _gated_block_fp8(prefix: str, hidden: int, inner: int) -> Iterator[tuple[str, TensorHeader]]:
    yield from _block_fp8(f"{prefix}.gate_proj", inner, hidden)
    yield from _block_fp8(f"{prefix}.up_proj", inner, hidden)
    yield from _block_fp8(f"{prefix}.down_proj", hidden, inner)


def _gemma3(config: Mapping[str, Any]) -> Iterator[tuple[str, TensorHeader]]:
    text = {**config["text_config"], "vocab_size": 262208}
    for name, header in _decoder(text, "bf16", "language_model.model"):
        if name != "lm_head.weight":  # the embedding serves as head
            yield name, header
    vision = config["vision_config"]["hidden_size"]
    for layer in range(config["vision_config"]["num_hidden_layers"]):
        prefix = f"vision_tower.vision_model.encoder.layers.{layer}"
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            yield f"{prefix}.self_attn.{name}.weight", _bf16(vision, vision)
