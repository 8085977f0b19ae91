"""What vLLM is asked about models: python -m tests.support.models.vllm_cases | python scripts/vllm_says.py

The second Python is one that has vLLM, with torchvision besides, for the models that see. Its answers, recorded in
`vllm_says.json` by `python -m tests.support.models.vllm_cases record < answers`, are what the sizing is compared with.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.models.families import FAMILIES, QWEN_YARN

ANSWERS = Path(__file__).with_name("vllm_says.json")

# On a GPU vLLM makes the block as long as it takes for a page of keys and values to hold the state of a linear layer.
FLAGS: Mapping[str, Mapping[str, Any]] = {"Qwen/Qwen3-Next-80B-A3B-Instruct": {"block_size": 544}}
# In the build for CPUs vLLM lays their states out otherwise than on a GPU, and the sizing does not know them.
NOT_LAID_OUT = ("ai21labs/Jamba-v0.1", "state-spaces/mamba-2.8b-hf")
# Its repository brings the code.
UNKNOWN_TO_TRANSFORMERS = ("nvidia/Llama-3_3-Nemotron-Super-49B-v1",)

LLAMA = "meta-llama/Llama-3.1-8B-Instruct"
QWEN = "Qwen/Qwen2.5-7B-Instruct"
PHI = "microsoft/Phi-4-mini-instruct"
SEES = "mistralai/Mistral-Small-3.1-24B-Instruct-2503"
VIDEO = "Qwen/Qwen2-VL-7B-Instruct"
CHUNKS = "meta-llama/Llama-4-Scout-17B-16E-Instruct"
GPT_2 = "openai-community/gpt2"
GEMMA = "google/gemma-3-1b-it"
MISTRAL = "mistralai/Mistral-7B-v0.1"
YARN = {**QWEN_YARN, "rope_type": "yarn", "rope_theta": 1000000.0}
LONGROPE = {
    "rope_type": "longrope", "short_factor": [1.0] * 64, "long_factor": [2.0] * 64,
    "original_max_position_embeddings": 8192,
}  # fmt: skip

CHANGED: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "yarn, the context written out": (QWEN, {"rope_scaling": QWEN_YARN, "max_position_embeddings": 131072}),
    "yarn of transformers 5": (QWEN, {"rope_parameters": YARN}),
    "linear of transformers 5": (
        QWEN,
        {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 1000000.0}},
    ),
    "dynamic": (QWEN, {"rope_scaling": {"type": "dynamic", "factor": 2.5}}),
    "types of both times that agree": (QWEN, {"rope_scaling": {"type": "linear", "rope_type": "linear", "factor": 2}}),
    "types of both times that differ": (QWEN, {"rope_scaling": {"type": "linear", "rope_type": "yarn", "factor": 2}}),
    "a type that nobody knows": (QWEN, {"rope_scaling": {"type": "stretchy", "factor": 3.0}}),
    "no type": (QWEN, {"rope_scaling": {"factor": 3.0}}),
    "a factor of null": (QWEN, {"rope_scaling": {"type": "linear", "factor": None}}),
    "llama3 of transformers 5": (
        LLAMA,
        {
            "rope_scaling": None,
            "rope_parameters": {
                "rope_type": "llama3", "factor": 8.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
                "original_max_position_embeddings": 8192, "rope_theta": 500000.0,
            },
        },
    ),
    "su": (PHI, {"rope_scaling": {"type": "su", "short_factor": [1.0] * 48, "long_factor": [2.0] * 48}}),
    "longrope, its original in the section alone": (
        PHI,
        {
            "original_max_position_embeddings": None,
            "rope_scaling": {
                "type": "longrope", "short_factor": [1.0] * 48, "long_factor": [2.0] * 48,
                "original_max_position_embeddings": 4096,
            },
        },
    ),
    "longrope without an original": (PHI, {"original_max_position_embeddings": None}),
    "longrope of another kind of model": (LLAMA, {"rope_scaling": LONGROPE}),
    "the same with its original outside": (
        LLAMA, {"rope_scaling": LONGROPE, "original_max_position_embeddings": 16384},
    ),
    "a window that is switched on": (
        "Qwen/Qwen2-7B-Instruct",
        {"use_sliding_window": True, "sliding_window": 4096, "max_window_layers": 20},
    ),
    "parameters for each kind of layer": (
        GEMMA,
        {
            "layer_types": (["sliding_attention"] * 5 + ["full_attention"]) * 4 + ["sliding_attention"] * 2,
            "rope_parameters": {
                "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1000000.0},
                "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
            },
            "rope_theta": None,
            "rope_local_base_freq": None,
        },
    ),
    "a model_max_length below the positions": (LLAMA, {"model_max_length": 4096}),
    "a max_seq_length besides": (LLAMA, {"max_seq_length": 2048}),
}  # fmt: skip
"""Keys of config.json that another takes the place of; None is for none."""
KEPT = ("a window that is switched on", "parameters for each kind of layer")
"""Those of them that change what is kept of a sequence."""

OVERRIDDEN: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "a longer context": (QWEN, {"max_position_embeddings": 131072}),
    "yarn, whole": (QWEN, {"rope_parameters": YARN, "max_position_embeddings": 131072}),
    "yarn by its old name": (QWEN, {"rope_scaling": YARN, "max_position_embeddings": 131072}),
    "yarn alone": (QWEN, {"rope_parameters": YARN}),
    "linear": (QWEN, {"rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 1000000.0}}),
    "a rope without its type": (QWEN, {"rope_parameters": {"rope_theta": 5000000.0}}),
    "a rope of the old kind": (QWEN, {"rope_scaling": QWEN_YARN}),
    "another theta": (QWEN, {"rope_theta": 5000000.0}),
    "no rope": (PHI, {"rope_parameters": None}),
    "no old rope": (PHI, {"rope_scaling": None}),
    "the original of longrope": (PHI, {"original_max_position_embeddings": 131072}),
    "a shorter context than the original": (PHI, {"max_position_embeddings": 2048}),
    "in the text model": (SEES, {"text_config": {"max_position_embeddings": 65536}}),
    "in the text model's rope": (
        SEES,
        {"text_config": {"rope_parameters": {"rope_type": "linear", "factor": 2.0}}},
    ),
    "beside the text model": (SEES, {"max_position_embeddings": 65536}),
    "in a text model that is written flat": (VIDEO, {"text_config": {"max_position_embeddings": 65536}}),
    "flat in a model that is written flat": (VIDEO, {"max_position_embeddings": 65536}),
    "a rope that is written flat": (VIDEO, {"rope_parameters": {**YARN, "mrope_section": [16, 24, 24]}}),
    "a longer context by the name of all": (GPT_2, {"max_position_embeddings": 2048}),
    "a longer context by its own name": (GPT_2, {"n_positions": 2048}),
    "another window": (MISTRAL, {"sliding_window": 1024}),
    "no window": (MISTRAL, {"sliding_window": None}),
    "fewer heads of keys": (QWEN, {"num_key_value_heads": 2}),
    "another architecture": (QWEN, {"architectures": ["LlamaForCausalLM"]}),
}
"""As `hf-overrides`."""

UNREAD: Mapping[str, Mapping[str, Any]] = {
    "internlm/internlm2_5-7b-chat": {
        "architectures": ["InternLM2ForCausalLM"],
        "model_type": "internlm2",
        "auto_map": {"AutoConfig": "configuration_internlm2.InternLM2Config"},
        "max_position_embeddings": 32768,
        "num_attention_heads": 32,
        "hidden_size": 4096,
        "num_hidden_layers": 32,
        "num_key_value_heads": 8,
        "vocab_size": 92544,
    },
    "openbmb/MiniCPM-2B-sft-bf16": {
        "architectures": ["MiniCPMForCausalLM"],
        "model_type": "minicpm",
        "auto_map": {"AutoConfig": "configuration_minicpm.MiniCPMConfig"},
        "hidden_size": 2304,
        "max_position_embeddings": 4096,
        "num_attention_heads": 36,
        "num_hidden_layers": 40,
        "vocab_size": 122753,
    },
    "a type that nobody has heard of": {"architectures": ["LlamaForCausalLM"], "model_type": "lama"},
}
"""config.json that vLLM has no code to read, though it knows the architecture."""

FLAGGED: Mapping[str, tuple[str, Mapping[str, Any], Mapping[str, str]]] = {
    "no window of a model with nothing else": (MISTRAL, {"disable_sliding_window": True}, {}),
    "no window of a model of two kinds": ("google/gemma-2-9b-it", {"disable_sliding_window": True}, {}),
    "whole windows": ("google/gemma-2-9b-it", {"disable_hybrid_kv_cache_manager": True}, {}),
    "whole windows of a model with nothing else": (MISTRAL, {"disable_hybrid_kv_cache_manager": True}, {}),
    "whole chunks": (CHUNKS, {}, {"VLLM_ALLOW_CHUNKED_LOCAL_ATTN_WITH_HYBRID_KV_CACHE": "0"}),
    "no latent": ("deepseek-ai/DeepSeek-V2-Lite", {}, {"VLLM_MLA_DISABLE": "1"}),
    "a context beyond the model's": (LLAMA, {}, {"VLLM_ALLOW_LONG_MAX_MODEL_LEN": "1"}),
}
"""Flags of `vllm serve` and variables of its environment."""


def changed(model: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """A config.json of these families with other keys."""
    config = {**FAMILIES[model], **changes}
    return {key: value for key, value in config.items() if value is not None or key not in changes}


def cases() -> dict[str, dict[str, Any]]:
    """Everything that is asked, by name."""
    asked: dict[str, dict[str, Any]] = {
        name: {
            "config": config,
            "flags": FLAGS.get(name, {}),
            "checkpoint": name not in UNKNOWN_TO_TRANSFORMERS,
            "layout": name not in NOT_LAID_OUT,
        }
        for name, config in FAMILIES.items()
    }
    asked |= {f"config: {name}": {"config": changed(*case), "layout": name in KEPT} for name, case in CHANGED.items()}
    asked |= {
        f"hf-overrides: {name}": {"config": FAMILIES[model], "flags": {"hf_overrides": dict(overrides)}}
        for name, (model, overrides) in OVERRIDDEN.items()
    }
    asked |= {f"unread: {name}": {"config": config, "layout": False} for name, config in UNREAD.items()}
    return asked | {
        f"flags: {name}": {"config": FAMILIES[model], "flags": flags, "env": env}
        for name, (model, flags, env) in FLAGGED.items()
    }


def main(arguments: list[str]) -> None:
    """Print the cases, or record the answers: a line for each."""
    if arguments != ["record"]:
        json.dump(cases(), sys.stdout)
        return
    answers = json.load(sys.stdin)
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(answers[name])}" for name in answers)
    ANSWERS.write_text(f"{{\n{lines}\n}}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
