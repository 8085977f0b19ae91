"""config.json of public families of models, as published but for keys that neither vLLM nor the sizing looks at."""

from collections.abc import Mapping
from typing import Any

from tests.support.models.families_by_layer import BY_LAYER
from tests.support.models.families_of_experts import OF_EXPERTS
from tests.support.models.model_configs import CONFIGS

LLAMA_3_ROPE = {
    "factor": 8.0,
    "high_freq_factor": 4.0,
    "low_freq_factor": 1.0,
    "original_max_position_embeddings": 8192,
    "rope_type": "llama3",
}
QWEN_YARN = {"factor": 4.0, "original_max_position_embeddings": 32768, "type": "yarn"}


def _decoder(
    architecture: str, kind: str, hidden: int, inner: int, heads: tuple[int, int], layers: int, **rest: Any
) -> dict[str, Any]:
    """The keys that most have; `heads` are those of queries and of keys."""
    return {
        "architectures": [architecture],
        "model_type": kind,
        "hidden_size": hidden,
        "intermediate_size": inner,
        "num_attention_heads": heads[0],
        "num_hidden_layers": layers,
        "num_key_value_heads": heads[1],
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        **rest,
    }


def _llama(hidden: int, inner: int, heads: tuple[int, int], layers: int, **rest: Any) -> dict[str, Any]:
    return _decoder("LlamaForCausalLM", "llama", hidden, inner, heads, layers, rms_norm_eps=1e-05, **rest)


def _mistral(hidden: int, inner: int, heads: tuple[int, int], layers: int, **rest: Any) -> dict[str, Any]:
    return _decoder("MistralForCausalLM", "mistral", hidden, inner, heads, layers, rms_norm_eps=1e-05, **rest)


def _qwen2(hidden: int, inner: int, heads: tuple[int, int], layers: int, **rest: Any) -> dict[str, Any]:
    keys = {"sliding_window": 131072, "use_sliding_window": False, "max_window_layers": layers, "vocab_size": 152064}
    return _decoder(
        "Qwen2ForCausalLM", "qwen2", hidden, inner, heads, layers, max_position_embeddings=32768, **{**keys, **rest}
    )


def _longrope(half: int) -> dict[str, Any]:
    """The published factors differ from one dimension to the next, which moves no size."""
    return {"type": "longrope", "short_factor": [1.0] * half, "long_factor": [2.0] * half}


DENSE: Mapping[str, Mapping[str, Any]] = {
    "meta-llama/Llama-2-7b-hf": _llama(
        4096, 11008, (32, 32), 32, max_position_embeddings=4096, torch_dtype="float16", vocab_size=32000
    ),
    "meta-llama/Meta-Llama-3-8B": _llama(
        4096, 14336, (32, 8), 32, max_position_embeddings=8192, rope_theta=500000.0, vocab_size=128256
    ),
    "meta-llama/Llama-3.1-8B-Instruct": CONFIGS["meta-llama/Llama-3.1-8B-Instruct"],
    "meta-llama/Llama-3.2-1B-Instruct": _llama(
        2048, 8192, (32, 8), 16, head_dim=64, max_position_embeddings=131072, rope_theta=500000.0, vocab_size=128256,
        rope_scaling={**LLAMA_3_ROPE, "factor": 32.0}, tie_word_embeddings=True,
    ),
    "01-ai/Yi-34B-200K": _llama(
        7168, 20480, (56, 8), 60, max_position_embeddings=200000, rope_theta=10000000.0, vocab_size=64000
    ),
    "deepseek-ai/deepseek-coder-6.7b-instruct": _llama(
        4096, 11008, (32, 32), 32, max_position_embeddings=16384, rope_theta=100000.0, vocab_size=32256,
        rope_scaling={"factor": 4.0, "type": "linear"},
    ),
    "NousResearch/Yarn-Llama-2-7b-64k": _llama(
        4096, 11008, (32, 32), 32, max_position_embeddings=65536, vocab_size=32000,
        rope_scaling={"factor": 16.0, "original_max_position_embeddings": 4096, "type": "yarn", "finetuned": True},
    ),
    "mistralai/Mistral-7B-v0.1": _mistral(
        4096, 14336, (32, 8), 32, max_position_embeddings=32768, sliding_window=4096, vocab_size=32000
    ),
    "mistralai/Mistral-7B-Instruct-v0.3": _mistral(
        4096, 14336, (32, 8), 32, max_position_embeddings=32768, sliding_window=None, vocab_size=32768
    ),
    "mistralai/Ministral-8B-Instruct-2410": _mistral(
        4096, 12288, (32, 8), 36, head_dim=128, max_position_embeddings=32768, rope_theta=100000000.0,
        sliding_window=32768, vocab_size=131072,
    ),
    "mistralai/Mistral-Small-3.1-24B-Instruct-2503": {
        "architectures": ["Mistral3ForConditionalGeneration"],
        "model_type": "mistral3",
        "image_token_index": 10,
        "multimodal_projector_bias": False,
        "projector_hidden_act": "gelu",
        "spatial_merge_size": 2,
        "torch_dtype": "bfloat16",
        "vision_feature_layer": -1,
        "text_config": {
            "model_type": "mistral",
            "head_dim": 128,
            "hidden_act": "silu",
            "hidden_size": 5120,
            "intermediate_size": 32768,
            "max_position_embeddings": 131072,
            "num_attention_heads": 32,
            "num_hidden_layers": 40,
            "num_key_value_heads": 8,
            "rms_norm_eps": 1e-05,
            "rope_theta": 1000000000.0,
            "sliding_window": None,
            "vocab_size": 131072,
        },
        "vision_config": {
            "model_type": "pixtral",
            "head_dim": 64,
            "hidden_act": "silu",
            "hidden_size": 1024,
            "image_size": 1540,
            "intermediate_size": 4096,
            "num_attention_heads": 16,
            "num_channels": 3,
            "num_hidden_layers": 24,
            "patch_size": 14,
            "rope_theta": 10000.0,
        },
    },
    "Qwen/Qwen2-7B-Instruct": _qwen2(3584, 18944, (28, 4), 28, rope_theta=1000000.0),
    "Qwen/Qwen2.5-7B-Instruct": _qwen2(3584, 18944, (28, 4), 28, rope_theta=1000000.0),
    # As its model card says for long texts.
    "Qwen/Qwen2.5-7B-Instruct with YaRN": _qwen2(
        3584, 18944, (28, 4), 28, rope_theta=1000000.0, rope_scaling=QWEN_YARN
    ),
    "Qwen/Qwen2.5-7B-Instruct-1M": _qwen2(3584, 18944, (28, 4), 28, rope_theta=10000000.0)
    | {"max_position_embeddings": 1010000, "sliding_window": 32768},
    "Qwen/Qwen2-VL-7B-Instruct": _qwen2(3584, 18944, (28, 4), 28, rope_theta=1000000.0)
    | {
        "architectures": ["Qwen2VLForConditionalGeneration"],
        "model_type": "qwen2_vl",
        "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]},
        "sliding_window": 32768,
        "image_token_id": 151655,
        "video_token_id": 151656,
        "vision_start_token_id": 151652,
        "vision_end_token_id": 151653,
        "vision_token_id": 151654,
        "vision_config": {
            "depth": 32, "embed_dim": 1280, "hidden_size": 3584, "in_channels": 3, "in_chans": 3, "mlp_ratio": 4,
            "num_heads": 16, "patch_size": 14, "spatial_merge_size": 2, "spatial_patch_size": 14,
            "temporal_patch_size": 2,
        },
    },
    "Qwen/Qwen3-8B": CONFIGS["Qwen/Qwen3-8B"],
    "google/gemma-2b": _decoder(
        "GemmaForCausalLM", "gemma", 2048, 16384, (8, 1), 18, head_dim=256, hidden_activation="gelu_pytorch_tanh",
        max_position_embeddings=8192, rms_norm_eps=1e-06, vocab_size=256000, tie_word_embeddings=True,
    ),
    "microsoft/Phi-3-mini-128k-instruct": _decoder(
        "Phi3ForCausalLM", "phi3", 3072, 8192, (32, 32), 32, max_position_embeddings=131072,
        original_max_position_embeddings=4096, rope_scaling=_longrope(48), sliding_window=262144, vocab_size=32064,
    ),
    "microsoft/phi-4": _decoder(
        "Phi3ForCausalLM", "phi3", 5120, 17920, (40, 10), 40, max_position_embeddings=16384,
        original_max_position_embeddings=16384, rope_scaling=None, rope_theta=250000, sliding_window=None,
        vocab_size=100352,
    ),
    "microsoft/Phi-4-mini-instruct": _decoder(
        "Phi3ForCausalLM", "phi3", 3072, 8192, (24, 8), 32, max_position_embeddings=131072,
        original_max_position_embeddings=4096, partial_rotary_factor=0.75, rope_scaling=_longrope(48),
        sliding_window=262144, tie_word_embeddings=True, vocab_size=200064,
    ),
    "THUDM/GLM-4-9B-0414": _decoder(
        "Glm4ForCausalLM", "glm4", 4096, 13696, (32, 2), 40, attention_bias=True, head_dim=128,
        max_position_embeddings=32768, partial_rotary_factor=0.5, vocab_size=151552,
    ),
    "tiiuae/falcon-7b": {
        "architectures": ["FalconForCausalLM"],
        "model_type": "falcon",
        "alibi": False,
        "bias": False,
        "hidden_size": 4544,
        "multi_query": True,
        "new_decoder_architecture": False,
        "num_attention_heads": 71,
        "num_hidden_layers": 32,
        "num_kv_heads": 71,
        "parallel_attn": True,
        "torch_dtype": "bfloat16",
        "vocab_size": 65024,
    },
    "tiiuae/falcon-40b": {
        "architectures": ["FalconForCausalLM"],
        "model_type": "falcon",
        "alibi": False,
        "bias": False,
        "hidden_size": 8192,
        "multi_query": True,
        "new_decoder_architecture": True,
        "num_attention_heads": 128,
        "num_hidden_layers": 60,
        "num_kv_heads": 8,
        "parallel_attn": True,
        "torch_dtype": "bfloat16",
        "vocab_size": 65024,
    },
    "EleutherAI/pythia-6.9b": {
        "architectures": ["GPTNeoXForCausalLM"],
        "model_type": "gpt_neox",
        "hidden_act": "gelu",
        "hidden_size": 4096,
        "intermediate_size": 16384,
        "layer_norm_eps": 1e-05,
        "max_position_embeddings": 2048,
        "num_attention_heads": 32,
        "num_hidden_layers": 32,
        "rotary_emb_base": 10000,
        "rotary_pct": 0.25,
        "tie_word_embeddings": False,
        "torch_dtype": "float16",
        "use_parallel_residual": True,
        "vocab_size": 50432,
    },
    "openai-community/gpt2": {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "activation_function": "gelu_new",
        "layer_norm_epsilon": 1e-05,
        "n_ctx": 1024,
        "n_embd": 768,
        "n_head": 12,
        "n_layer": 12,
        "n_positions": 1024,
        "vocab_size": 50257,
    },
    "bigscience/bloom-7b1": {
        "architectures": ["BloomForCausalLM"],
        "model_type": "bloom",
        "n_embed": 4096,
        "n_layer": 30,
        "num_attention_heads": 32,
        "seq_length": 2048,
        "torch_dtype": "float16",
        "vocab_size": 250880,
    },
    "facebook/opt-6.7b": {
        "architectures": ["OPTForCausalLM"],
        "model_type": "opt",
        "do_layer_norm_before": True,
        "ffn_dim": 16384,
        "hidden_size": 4096,
        "max_position_embeddings": 2048,
        "num_attention_heads": 32,
        "num_hidden_layers": 32,
        "torch_dtype": "float16",
        "vocab_size": 50272,
        "word_embed_proj_dim": 4096,
    },
    "bigcode/starcoder2-7b": _decoder(
        "Starcoder2ForCausalLM", "starcoder2", 4608, 18432, (36, 4), 32, hidden_act="gelu_pytorch_tanh",
        max_position_embeddings=16384, norm_epsilon=1e-05, norm_type="layer_norm", mlp_type="default",
        rope_theta=1000000, sliding_window=4096, use_bias=True, vocab_size=49152, tie_word_embeddings=True,
    ),
    "allenai/OLMo-2-1124-7B": _decoder(
        "Olmo2ForCausalLM", "olmo2", 4096, 11008, (32, 32), 32, max_position_embeddings=4096, rope_theta=500000,
        rms_norm_eps=1e-06, torch_dtype="float32", vocab_size=100352,
    ),
    "ibm-granite/granite-3.1-8b-instruct": _decoder(
        "GraniteForCausalLM", "granite", 4096, 12800, (32, 8), 40, attention_multiplier=0.0078125,
        embedding_multiplier=12.0, logits_scaling=16.0, max_position_embeddings=131072, residual_multiplier=0.22,
        rope_theta=10000000.0, vocab_size=49155, tie_word_embeddings=True,
    ),
    "CohereLabs/c4ai-command-r-v01": _decoder(
        "CohereForCausalLM", "cohere", 8192, 22528, (64, 64), 40, logit_scale=0.0625, max_position_embeddings=8192,
        model_max_length=131072, rope_theta=8000000.0, torch_dtype="float16", vocab_size=256000,
        tie_word_embeddings=True,
    ),
    "HuggingFaceTB/SmolLM3-3B": _decoder(
        "SmolLM3ForCausalLM", "smollm3", 2048, 11008, (16, 4), 36, layer_types=["full_attention"] * 36,
        max_position_embeddings=65536, max_window_layers=28, no_rope_layer_interval=4, rope_theta=5000000.0,
        sliding_window=None, use_sliding_window=False, vocab_size=128256, tie_word_embeddings=True,
    ),
    "stabilityai/stablelm-2-12b": _decoder(
        "StableLmForCausalLM", "stablelm", 5120, 13824, (32, 8), 40, max_position_embeddings=4096,
        partial_rotary_factor=0.25, qk_layernorm=True, use_parallel_residual=True, use_qkv_bias=False,
        rope_theta=10000, vocab_size=100352,
    ),
}  # fmt: skip

FAMILIES: Mapping[str, Mapping[str, Any]] = {**DENSE, **BY_LAYER, **OF_EXPERTS}
