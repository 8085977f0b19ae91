"""How much of a model goes to the host's memory, what it takes there, and who is refused."""

from dataclasses import replace

import pytest

from components.model.sizing.fit import ServeOptions, fit, fits_by_type, suggestions
from components.model.sizing.offload import offloaded
from tests.support.models.catalogue_sizes import A10, A100, BY_PRICE, GH200, H100, machine
from tests.support.models.model_configs import stored_shape

LLAMA_8B = "meta-llama/Llama-3.1-8B-Instruct"
LLAMA_70B = "meta-llama/Llama-3.1-70B-Instruct"
LLAMA_405B = "meta-llama/Llama-3.1-405B-Instruct"


def test_a_model_that_fits_is_not_offloaded() -> None:
    found = fit(stored_shape(LLAMA_8B), GH200, ServeOptions())
    assert (found.fits, found.cpu_offload_gib, found.host_memory_gib) == (True, 0.0, 0.0)
    assert found.max_model_len == 131072


def test_70b_on_one_gh200_gets_the_least_offload_for_16k_and_not_the_tutorials_90() -> None:
    shape = stored_shape(LLAMA_70B)
    found = fit(shape, GH200, ServeOptions())
    assert found.fits
    assert 51 <= found.cpu_offload_gib <= 57
    assert found.max_model_len >= 16384
    less = fit(shape, GH200, ServeOptions(max_model_len=16384, cpu_offload_gib=found.cpu_offload_gib - 5))
    assert not less.fits


def test_pinned_memory_is_rounded_up_to_powers_of_two() -> None:
    found = fit(stored_shape(LLAMA_70B), GH200, ServeOptions(cpu_offload_gib=90))
    assert found.host_memory_gib == pytest.approx(106, abs=0.6)
    moved = offloaded(stored_shape(LLAMA_70B), 1000)
    assert moved.pinned_bytes / moved.nbytes == pytest.approx(1.18, abs=0.01)
    moved = offloaded(stored_shape(LLAMA_405B, "fp8"), 1000)
    assert moved.pinned_bytes / moved.nbytes == pytest.approx(1.26, abs=0.01)


def test_no_more_is_moved_than_the_decoder_holds() -> None:
    shape = stored_shape(LLAMA_8B)
    assert offloaded(shape, 1000).nbytes == shape.decoder_bytes
    assert offloaded(shape, 500, tensor_parallel=2).nbytes == shape.decoder_bytes / 2


def test_405b_int4_fits_a_gh200_and_fp8_does_not_fit_its_host() -> None:
    assert fit(stored_shape(LLAMA_405B, "int4"), GH200, ServeOptions()).fits
    refused = fit(stored_shape(LLAMA_405B, "fp8"), GH200, ServeOptions())
    assert not refused.fits
    assert "the most that the host's 432 GiB take" in refused.reason


def test_an_offload_that_the_host_cannot_pin_is_refused_with_the_way_round() -> None:
    refused = fit(stored_shape(LLAMA_405B, "fp8"), GH200, ServeOptions(cpu_offload_gib=310))
    assert not refused.fits
    assert "VLLM_WEIGHT_OFFLOADING_DISABLE_PIN_MEMORY=1" in refused.reason
    assert "432 GiB" in refused.reason


def test_a_slow_link_is_used_only_when_asked_for() -> None:
    shape = stored_shape(LLAMA_70B)
    refused = fit(shape, H100, ServeOptions())
    assert (refused.fits, refused.cpu_offload_gib) == (False, 0.0)
    asked = fit(shape, H100, ServeOptions(cpu_offload_gib=75))
    assert asked.fits
    # 75 GiB at the 63 GB/s that PCIe can carry at most
    assert asked.tokens_per_second < 0.8


def test_a_refusal_names_the_numbers_and_what_would_fit() -> None:
    refused = fit(stored_shape(LLAMA_70B), GH200, ServeOptions(cpu_offload_gib=0))
    assert refused.reason.startswith("needs 131.4 GiB for the weights, ")
    assert "one GH200 has 86.9 GiB" in refused.reason
    for remedy in ("an FP8 checkpoint (about 67.7 GiB)", "INT4 (about 36.8 GiB)", "cpuOffloadGb auto"):
        assert remedy in refused.reason
    assert "\n" not in refused.reason


def test_a_refusal_promises_nothing_that_does_not_fit_either() -> None:
    refused = fit(stored_shape(LLAMA_70B), A10, ServeOptions())
    assert refused.reason.endswith(": use an instance type with more GPU memory")
    on_a100 = fit(stored_shape(LLAMA_70B), machine("gpu_2x_a100"), ServeOptions())
    assert "INT4 (about 36.8 GiB)" in on_a100.reason
    assert "FP8" not in on_a100.reason


def test_a_context_that_is_too_long_is_answered_with_the_longest_that_fits() -> None:
    shape = stored_shape(LLAMA_70B, "fp8")
    refused = fit(shape, GH200, ServeOptions(max_model_len=65536, cpu_offload_gib=0))
    assert f"maxModelLen {refused.max_model_len} or less" in refused.reason
    assert "kv-cache-dtype fp8" in refused.reason
    assert fit(shape, GH200, ServeOptions(max_model_len=refused.max_model_len, cpu_offload_gib=0)).fits
    assert fit(shape, GH200, ServeOptions(max_model_len=65536, cpu_offload_gib=0, kv_cache_dtype="fp8")).fits


def test_a_context_beyond_the_models_own_is_refused() -> None:
    refused = fit(stored_shape("Qwen/Qwen3-8B"), GH200, ServeOptions(max_model_len=131072))
    assert refused.reason == "maxModelLen 131072 is more than the 40960 tokens of the model itself"


def test_suggestions_name_the_cheapest_that_fit() -> None:
    found = suggestions(stored_shape(LLAMA_70B), BY_PRICE, ServeOptions(cpu_offload_gib=0, tensor_parallel_size=1))
    assert [line.split(":")[0].split(" with ")[0] for line in found] == [
        "this checkpoint on gpu_1x_gh200",
        "this checkpoint on gpu_4x_a6000",
        "an FP8 checkpoint (about 67.7 GiB) on gpu_2x_a6000",
        "INT4 (about 36.8 GiB) on gpu_1x_a6000",
    ]
    assert suggestions(stored_shape(LLAMA_405B), BY_PRICE[:3], ServeOptions()) == ()


def test_every_machine_gets_its_fit_in_their_order() -> None:
    found = fits_by_type(stored_shape(LLAMA_8B), BY_PRICE, ServeOptions())
    assert [size for size, _ in found] == list(BY_PRICE)
    assert {size.gpu.name for size, result in found if not result.fits} == {"RTX 6000", "V100"}


def test_old_gpus_are_refused_with_the_flag_that_helps() -> None:
    shape, turing = stored_shape("Qwen/Qwen3-8B", "int4"), machine("gpu_1x_rtx6000")
    assert "set dtype half" in fit(shape, turing, ServeOptions()).reason
    assert fit(shape, turing, ServeOptions(dtype="half")).fits
    assert "need 7.5" in fit(shape, machine("gpu_8x_v100"), ServeOptions(dtype="half")).reason


def test_fp8_weights_run_on_an_a100_without_quantised_activations() -> None:
    shape, wish = stored_shape("Qwen/Qwen3-32B", "fp8"), ServeOptions(max_num_batched_tokens=8192)
    on_a100, on_h100 = fit(shape, A100, wish), fit(shape, H100, wish)
    assert on_h100.fits
    assert on_a100.peak_activation_gib > on_h100.peak_activation_gib


def test_all_gpus_that_can_share_the_model_are_used() -> None:
    eight = machine("gpu_8x_h100_sxm5")
    assert fit(stored_shape(LLAMA_8B), eight, ServeOptions()).tensor_parallel_size == 8
    assert fit(stored_shape(LLAMA_8B), eight, ServeOptions(tensor_parallel_size=2)).tensor_parallel_size == 2
    # seven divides the heads, but neither the four key and value heads nor the other way round
    odd = replace(stored_shape(LLAMA_8B), heads=28, kv_heads=4)
    assert fit(odd, eight, ServeOptions()).tensor_parallel_size == 4


def test_scales_of_blocks_limit_how_far_experts_are_shared() -> None:
    """1536 by 8 is 192, which is no multiple of the 128 rows that share a scale."""
    shape = replace(stored_shape("Qwen/Qwen3-235B-A22B", "fp8"), quantisation_block=128)
    assert fit(shape, machine("gpu_8x_h100_sxm5"), ServeOptions()).tensor_parallel_size == 4


def test_a_tensor_parallel_size_that_cannot_be_is_refused() -> None:
    shape = stored_shape(LLAMA_8B)
    assert "is not between 1 and the GPUs" in fit(shape, GH200, ServeOptions(tensor_parallel_size=2)).reason
    refused = fit(shape, machine("gpu_8x_h100_sxm5"), ServeOptions(tensor_parallel_size=3))
    assert refused.reason.endswith("on gpu_8x_h100_sxm5 use 1, 2, 4, 8")
