"""What the pinned vLLM serves."""

import re
from pathlib import Path
from typing import Any

import pytest

from components.vllm.hub.architectures import (
    VLLM_VERSION,
    only_by_transformers,
    quantisation,
    unsupported,
    unsupported_quantisation,
)
from components.vllm.hub.checkpoint import Checkpoint


def test_the_list_is_of_the_release_that_is_installed() -> None:
    pins = Path("components/vllm/scripts/versions.env").read_text()
    assert re.findall(r"^VLLM_VERSION=(.*)$", pins, re.MULTILINE) == [VLLM_VERSION]


@pytest.mark.parametrize(
    "architecture",
    [
        "LlamaForCausalLM",
        "Qwen3MoeForCausalLM",
        "GptOssForCausalLM",
        "DeepseekV3ForCausalLM",
        "MixtralForCausalLM",
        "Gemma3ForConditionalGeneration",
        "Qwen2_5_VLForConditionalGeneration",
        "SmolLM3ForCausalLM",
        "HeliumForCausalLM",
    ],
)
def test_models_that_write_are_served(architecture: str) -> None:
    assert unsupported([architecture]) is None


def test_one_known_architecture_is_enough() -> None:
    assert unsupported(["MyOwnForCausalLM", "LlamaForCausalLM"]) is None


@pytest.mark.parametrize(
    ("architectures", "told"),
    [
        (["BertModel"], "BertModel is an embedding model: it serves /v1/embeddings, not completions"),
        (["Qwen3Model"], "Qwen3Model is an embedding model"),
        (["ColQwen3"], "ColQwen3 is an embedding model"),
        (["Qwen2ForRewardModel"], "Qwen2ForRewardModel is a reward model"),
        (["LlamaForSequenceClassification"], "LlamaForSequenceClassification is a classification model"),
        (["WhisperForConditionalGeneration"], "it serves /v1/audio/transcriptions"),
        (["Eagle3LlamaForCausalLM"], "is a draft for speculative decoding"),
        (["Phi3SmallForCausalLM"], "Phi3SmallForCausalLM was supported until v0.9.2 of vLLM, and v0.32.0 is pinned"),
        (["Nemotron3_5AsrForRNNT"], "only with the plugin at https://github.com/"),
        (["Qwen3ForCausalLLM"], "does not know the architecture Qwen3ForCausalLLM (the nearest it knows is Qwen3For"),
        (["Zzzz"], "vLLM 0.32.0 does not know the architecture Zzzz: choose another model"),
        (["UNetModel"], "does not know the architecture UNetModel"),
        ([], "config.json names no architecture"),
    ],
)
def test_what_is_not_served_is_told_with_the_reason(architectures: list[str], told: str) -> None:
    line = unsupported(architectures)
    assert line is not None
    assert told in line


def test_what_only_transformers_implements_is_told_apart() -> None:
    assert only_by_transformers(["HeliumForCausalLM"])
    assert not only_by_transformers(["LlamaForCausalLM"])
    assert not only_by_transformers(["Zzzz"])


@pytest.mark.parametrize(
    ("config", "method"),
    [
        ({}, None),
        ({"quantization_config": {"quant_method": "fp8"}}, "fp8"),
        ({"quantization_config": {"quant_method": "compressed-tensors"}}, "compressed-tensors"),
        ({"compression_config": {"quant_method": "compressed_tensors"}}, "compressed-tensors"),
        ({"quantization_config": {"quant_method": "gptq", "bits": 4}}, "auto_gptq"),
        ({"quantization_config": {"quant_method": "AWQ", "bits": 4}}, "auto_awq"),
        ({"quantization_config": {"quant_method": "auto-round"}}, "inc"),
        ({"model_type": "gpt_oss", "quantization_config": {"quant_method": "mxfp4"}}, "gpt_oss_mxfp4"),
        ({"text_config": {"quantization_config": {"quant_method": "fp8"}}}, "fp8"),
        ({"quantization_config": {"quant_method": "modelopt", "quant_algo": "FP8"}}, "modelopt"),
        ({"quantization_config": {"quant_method": "modelopt", "quant_algo": "NVFP4"}}, "modelopt_fp4"),
        (
            {"quantization_config": {"producer": {"name": "modelopt"}, "quantization": {"quant_algo": "FP8"}}},
            "modelopt",
        ),
        ({"quantization_config": {}}, None),
        ({"quantization_config": {"bits": 4}}, "unknown"),
    ],
)
def test_quantisation_has_the_name_that_vllm_gives_it(config: dict[str, Any], method: str | None) -> None:
    assert quantisation(Checkpoint("a/b", "c" * 40, config, (), {})) == method


def test_quantisation_that_vllm_does_not_load_is_told() -> None:
    assert unsupported_quantisation(None) is None
    for method in ("fp8", "auto_awq", "auto_gptq", "compressed-tensors", "modelopt_fp4", "gpt_oss_mxfp4"):
        assert unsupported_quantisation(method) is None
    assert "does not load weights quantised by aqlm" in str(unsupported_quantisation("aqlm"))
    assert "allow-deprecated-quantization" in str(unsupported_quantisation("fbgemm_fp8"))
