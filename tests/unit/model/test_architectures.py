"""What the pinned vLLM serves."""

import pytest

from components.vllm.release.architectures import VLLM_VERSION, only_by_transformers, unsupported
from components.vllm.release.install.versions import TARGETS
from components.vllm.release.quantisation import LISTED_VERSION


def test_the_lists_are_of_the_release_that_is_installed() -> None:
    assert TARGETS["cuda13"].vllm == VLLM_VERSION == LISTED_VERSION


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
