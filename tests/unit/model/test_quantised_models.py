"""Quantised models: on which GPUs the pinned vLLM runs them, and what they weigh there."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from components.model.sizing.demands import obstacle
from components.model.sizing.fit import ServeOptions, fit
from components.model.sizing.memory import GIB, Batch, peak_activation_gib
from components.model.sizing.model_shape import ModelShape
from components.model.sizing.shape import shape_of
from components.settings import Settings
from components.vllm.preflight import check_checkpoint
from tests.support.models.catalogue_sizes import A10, B200, GH200, H100, machine
from tests.support.models.model_configs import checkpoint
from tests.support.models.quantised import MODELOPT_NVFP4_FILE, NVFP4, REFUSED, RUNS_ON

LLAMA_8B = "meta-llama/Llama-3.1-8B-Instruct"
FP8_CACHE = {"num_bits": 8, "type": "float", "strategy": "tensor", "dynamic": False, "symmetric": True}
SETTINGS = Settings.model_validate({"lambdaApiKey": "key"})
MACHINES = tuple(
    machine(f"gpu_{name}")
    for name in ("1x_rtx6000", "8x_v100", "1x_a10", "1x_a6000", "1x_a100", "1x_h100_sxm5", "1x_gh200", "1x_b200_sxm6")
)


def shape(section: Mapping[str, Any]) -> ModelShape:
    return shape_of(checkpoint(LLAMA_8B, "nvfp4", quantization_config=section))


@pytest.mark.parametrize("kind", RUNS_ON)
def test_every_kind_of_quantised_weights_is_refused_where_vllm_refuses_it_and_nowhere_else(kind: str) -> None:
    section, runs_on = RUNS_ON[kind]
    found = shape(section)
    for size in MACHINES:
        major, minor = size.gpu.compute_capability
        # Cards without bfloat16 are asked in 16 bits of their own, unless vLLM runs the kind in bfloat16 alone.
        reason = obstacle(found, size, ServeOptions(dtype="auto" if size.gpu.has_bf16 else "half"))
        assert (reason == "") == (10 * major + minor in runs_on), f"{size.name}: {reason or 'is taken'}"
        assert "\n" not in reason


@pytest.mark.parametrize("section", [NVFP4, MODELOPT_NVFP4_FILE], ids=["compressed", "modelopt"])
def test_nvfp4_runs_on_a_gh200_at_four_bits_and_a_scale(section: Mapping[str, Any]) -> None:
    found = fit(shape(section), GH200, ServeOptions())
    assert found.fits
    # 6.98 billion weights of the layers at 4.5 bits, and 1.05 billion of embedding and head at 16
    assert found.weights_gib == pytest.approx((6.98e9 * 4.5 / 8 + 1.05e9 * 2) / GIB, rel=0.01)


def test_activations_are_of_four_bits_only_where_the_gpu_computes_in_them() -> None:
    """On others Marlin multiplies by weights that it has unpacked, so the activations have their 16 bits."""
    batch = Batch(16384, 16)
    hopper, blackwell = (peak_activation_gib(shape(NVFP4), size.gpu, batch) for size in (H100, B200))
    weights_only = shape(RUNS_ON["compressed nvfp4, weights only"][0])
    assert hopper == peak_activation_gib(weights_only, H100.gpu, batch)
    assert blackwell < hopper


@pytest.mark.parametrize(("section", "told"), REFUSED)
def test_what_vllm_does_not_load_is_one_line_before_a_machine_is_paid(section: Mapping[str, Any], told: str) -> None:
    (line,) = check_checkpoint(SETTINGS, checkpoint(LLAMA_8B, quantization_config=dict(section)))
    assert line.startswith("model: ")
    assert told in line
    assert "\n" not in line


@pytest.mark.parametrize("kind", sorted(RUNS_ON.keys() - {"fbgemm_fp8", "fp_quant"}))
def test_what_vllm_loads_is_not_refused(kind: str) -> None:
    assert check_checkpoint(SETTINGS, checkpoint(LLAMA_8B, quantization_config=dict(RUNS_ON[kind][0]))) == []


def test_a_deprecated_method_is_loaded_by_those_who_allow_it() -> None:
    allowed = Settings.model_validate({"lambdaApiKey": "key", "vllmArgs": {"allow-deprecated-quantization": True}})
    assert check_checkpoint(allowed, checkpoint(LLAMA_8B, quantization_config={"quant_method": "fbgemm_fp8"})) == []


def test_a_type_of_activations_that_the_method_does_not_know_is_refused() -> None:
    reason = obstacle(shape({"quant_method": "mxfp4"}), A10, ServeOptions(dtype="half"))
    assert "runs mxfp4 in bfloat16 only" in reason


def test_the_schemes_survive_the_state_file_and_are_missing_in_an_older_one() -> None:
    found = shape(NVFP4)
    stored = json.loads(json.dumps(found.to_json()), parse_int=float)
    assert ModelShape.from_json(stored) == found
    del stored["quantisation_schemes"]
    assert ModelShape.from_json(stored) == replace(found, quantisation_schemes=())


@pytest.mark.parametrize(
    ("section", "halves"),
    [
        (MODELOPT_NVFP4_FILE, True),
        ({"quant_method": "modelopt", "quant_algo": "FP8", "kv_cache_scheme": FP8_CACHE}, True),
        ({"quant_method": "modelopt", "quant_algo": "FP8", "kv_cache_scheme": {**FP8_CACHE, "dynamic": True}}, False),
        ({"quant_method": "modelopt", "quant_algo": "FP8", "kv_cache_quant_algo": None}, False),
        ({**NVFP4, "kv_cache_scheme": FP8_CACHE}, True),
        ({**NVFP4, "kv_cache_scheme": None}, False),
        ({"quant_method": "fp8"}, False),
    ],
)
def test_a_checkpoint_that_was_made_for_an_fp8_cache_gets_one(section: Mapping[str, Any], halves: bool) -> None:
    """vLLM resolves `kv-cache-dtype: auto` so; who names a type gets that one."""
    tokens = [
        fit(shape(section), GH200, ServeOptions(kv_cache_dtype=dtype)).kv_tokens
        for dtype in ("auto", "bfloat16", "fp8")
    ]
    assert tokens == [tokens[2] if halves else tokens[1], tokens[1], tokens[2]]
    assert tokens[2] == pytest.approx(2 * tokens[1], rel=0.001)
