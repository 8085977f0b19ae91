"""Reading the shape of a model from config.json and the headers of its weights."""

import json
from dataclasses import replace
from typing import Any

import pytest

from components.model.hub.checkpoint import TensorHeader
from components.model.sizing.kv_cache import kv_bytes_per_token
from components.model.sizing.shape import ModelShape, ShapeError, overridden_shape, shape_of
from tests.support.models.model_configs import CONFIGS, checkpoint, stored_shape

MIB = 2**20
LLAMA_70B = "meta-llama/Llama-3.1-70B-Instruct"


@pytest.mark.parametrize(
    ("model", "gigabytes"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", 16.1),
        (LLAMA_70B, 141.1),
        ("meta-llama/Llama-3.1-405B-Instruct", 811.7),
        ("Qwen/Qwen3-8B", 16.4),
        ("Qwen/Qwen3-32B", 65.5),
        ("Qwen/Qwen3-30B-A3B", 61.1),
        ("Qwen/Qwen3-235B-A22B", 470.2),
        ("mistralai/Mixtral-8x7B-Instruct-v0.1", 93.4),
        ("mistralai/Mixtral-8x22B-Instruct-v0.1", 281.3),
        ("openai/gpt-oss-120b", 65.2),
    ],
)
def test_weights_are_what_the_repository_holds(model: str, gigabytes: float) -> None:
    assert stored_shape(model).weights_bytes / 1e9 == pytest.approx(gigabytes, abs=0.06)


def test_parameters_are_fused_as_vllm_fuses_them() -> None:
    (run,) = stored_shape(LLAMA_70B).decoder
    assert run.layers == 80
    # qkv, o, gate and up, down, in vLLM's order, then two norms
    assert run.parameters == (160 * MIB, 128 * MIB, 896 * MIB, 448 * MIB, 16384, 16384)


def test_experts_are_fused_to_two_parameters() -> None:
    shape = stored_shape("mistralai/Mixtral-8x7B-Instruct-v0.1")
    (run,) = shape.decoder
    assert tuple(sorted(run.parameters, reverse=True)[:2]) == (8 * 2 * 112 * MIB, 8 * 112 * MIB)
    assert run.expert_bytes == 8 * 3 * 112 * MIB
    assert (shape.experts, shape.experts_per_token, shape.expert_intermediate_size) == (8, 2, 14336)
    assert shape.intermediate_size == 0


def test_a_quantised_checkpoint_says_how() -> None:
    bf16, fp8, int4 = (stored_shape(LLAMA_70B, stored) for stored in ("bf16", "fp8", "int4"))
    assert (bf16.quantisation, bf16.weight_format, bf16.quantised_activations) == (None, "16-bit", False)
    assert (fp8.quantisation, fp8.weight_format, fp8.quantised_activations) == ("compressed-tensors", "fp8", True)
    assert (int4.quantisation, int4.weight_format, int4.quantised_activations) == ("compressed-tensors", "int4", False)


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ({"quant_method": "awq", "bits": 4, "group_size": 128}, ("auto_awq", "int4", False, 1)),
        ({"quant_method": "gptq", "bits": 8}, ("auto_gptq", "int8", False, 1)),
        ({"quant_method": "fp8", "weight_block_size": [128, 128]}, ("fp8", "fp8", True, 128)),
        ({"quant_method": "modelopt", "quant_algo": "NVFP4"}, ("modelopt_fp4", "nvfp4", True, 1)),
        ({"quant_method": "modelopt", "quant_algo": "FP8"}, ("modelopt", "fp8", True, 1)),
    ],
)
def test_every_usual_quantisation_is_told_apart(section: object, expected: tuple[object, ...]) -> None:
    shape = shape_of(checkpoint(LLAMA_70B, quantization_config=section))
    found = (shape.quantisation, shape.weight_format, shape.quantised_activations, shape.quantisation_block)
    assert found == expected


def test_latent_attention_and_the_draft_layer_of_deepseek() -> None:
    shape = stored_shape("deepseek-ai/DeepSeek-V3")
    assert shape.latent_dim == 576
    assert [run.layers for run in shape.decoder] == [3, 58]
    # 671 billion parameters at one byte; the 14 billion of the draft layer are not loaded
    assert shape.weights_bytes / 1e9 == pytest.approx(673, abs=2)


def test_windowed_layers_are_counted() -> None:
    oss = stored_shape("openai/gpt-oss-120b")
    assert (oss.windowed_layers, oss.sliding_window, oss.full_layers) == (18, 128, 18)
    gemma = stored_shape("google/gemma-3-27b-it")
    assert (gemma.windowed_layers, gemma.sliding_window, gemma.full_layers) == (52, 1024, 10)


def test_a_window_that_is_switched_off_is_none() -> None:
    shape = shape_of(checkpoint("Qwen/Qwen3-8B", sliding_window=4096, use_sliding_window=False))
    assert shape.windowed_layers == 0


def test_the_text_model_of_a_multimodal_one_is_read_and_its_vision_counted() -> None:
    shape = stored_shape("google/gemma-3-27b-it")
    assert (shape.architecture, shape.layers, shape.hidden_size) == ("Gemma3ForConditionalGeneration", 62, 5376)
    assert shape.vocabulary == 262208
    assert shape.element_type == "bfloat16"
    assert shape.weights_bytes > shape.decoder_bytes + 2 * 262208 * 5376


def test_linear_layers_keep_a_state_and_no_keys() -> None:
    shape = shape_of(
        checkpoint(
            "Qwen/Qwen3-8B",
            full_attention_interval=4,
            linear_num_key_heads=16,
            linear_key_head_dim=128,
            linear_num_value_heads=32,
            linear_value_head_dim=128,
            linear_conv_kernel_dim=4,
        )
    )
    assert (shape.state_layers, shape.full_layers) == (27, 9)
    assert shape.state_bytes == 2 * (32 * 128 * 128 + 3 * (2 * 16 * 128 + 32 * 128))


def test_a_32_bit_checkpoint_is_loaded_at_16() -> None:
    wide = checkpoint("Qwen/Qwen3-8B", torch_dtype="float32")
    wide = replace(wide, tensors={name: TensorHeader("F32", t.shape) for name, t in wide.tensors.items()})
    assert shape_of(wide).weights_bytes == stored_shape("Qwen/Qwen3-8B").weights_bytes
    assert shape_of(wide).element_type == "bfloat16"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_hidden_layers": None}, "config.json has no num_hidden_layers or n_layer"),
        ({"hidden_size": "big"}, "hidden_size is 'big', not a whole number"),
        ({"architectures": []}, "names no architecture"),
        ({"num_hidden_layers": 37}, "no tensor of layer 36"),
        ({"mamba_d_state": 128}, "state-space (Mamba) layers cannot be sized"),
        ({"layer_types": ["odd_attention"] * 36}, "layers of kind odd_attention cannot be sized"),
    ],
)
def test_what_cannot_be_sized_is_said_in_one_line(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ShapeError) as caught:
        shape_of(checkpoint("Qwen/Qwen3-8B", **changes))
    assert str(caught.value).startswith("Qwen/Qwen3-8B: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_repository_without_safetensors_cannot_be_sized() -> None:
    with pytest.raises(ShapeError, match="has no safetensors files"):
        shape_of(replace(checkpoint("Qwen/Qwen3-8B"), tensors={}))


@pytest.mark.parametrize("model", CONFIGS)
def test_a_shape_survives_the_state_file(model: str) -> None:
    shape = stored_shape(model)
    # a state file gives every number back as a float
    stored = json.loads(json.dumps(shape.to_json()), parse_int=float)
    assert ModelShape.from_json(stored) == shape


def test_a_shape_that_an_older_version_stored_is_read_as_it_was_meant() -> None:
    shape = stored_shape("Qwen/Qwen3-8B")
    newer = {"default_context", "position_rows", "has_chunks", "idle_layers", "kv_heads_by_layer", "source"}
    older = ModelShape.from_json({key: value for key, value in shape.to_json().items() if key not in newer})
    assert (older.served_context, older.full_layers) == (shape.served_context, shape.full_layers)
    with pytest.raises(ShapeError, match="of an older version"):
        overridden_shape(older, {"max_position_embeddings": 8192})


@pytest.mark.parametrize(
    "key",
    ["hybrid_override_pattern", "global_head_dim", "num_kv_shared_layers", "index_topk", "linear_attn_config"],
)
def test_kinds_of_layers_that_are_not_known_are_not_guessed(key: str) -> None:
    has_it: dict[str, Any] = {key: 8}
    with pytest.raises(ShapeError, match="cannot be sized"):
        shape_of(checkpoint("Qwen/Qwen3-8B", **has_it))


def test_heads_that_differ_from_block_to_block_are_counted_one_by_one() -> None:
    groups = [4 if i % 2 else 8 for i in range(36)]
    blocks: Any = [{"attention": {"n_heads_in_group": n, "no_op": i == 0}, "ffn": {}} for i, n in enumerate(groups)]
    shape = shape_of(checkpoint("Qwen/Qwen3-8B", block_configs=blocks))
    each = [32 // n for n in groups[1:]]
    assert (shape.idle_layers, shape.kv_heads) == (1, 8)
    assert kv_bytes_per_token(shape) == pytest.approx(sum(each) * 2 * 128 * 2)
    assert kv_bytes_per_token(shape, tensor_parallel_size=8) == pytest.approx(35 * 2 * 128 * 2)


def test_a_stored_shape_that_is_none_is_refused() -> None:
    with pytest.raises(ShapeError, match="cannot be read"):
        ModelShape.from_json({"layers": 3})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("num_attention_heads", 0),
        ("num_key_value_heads", 0),
        ("num_hidden_layers", 10**30),
        ("num_hidden_layers", float("inf")),
        ("hidden_size", float("nan")),
        ("vocab_size", 0),
        ("partial_rotary_factor", "half"),
        ("rope_scaling", {"rope_type": "yarn", "factor": [], "original_max_position_embeddings": 8192}),
        ("quantization_config", {"quant_method": "fp8", "weight_block_size": [0, 0]}),
        ("quantization_config", {"quant_method": "compressed-tensors", "config_groups": {"a": 1}}),
    ],
)
def test_whatever_a_configuration_holds_is_a_line_and_no_traceback(key: str, value: Any) -> None:
    with pytest.raises(ShapeError, match=LLAMA_70B):
        shape_of(checkpoint(LLAMA_70B, **{key: value}))
