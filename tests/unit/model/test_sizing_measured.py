"""Starts of vLLM 0.26 that were measured on an H200, most with a budget of 0.92 of 95.6 GiB."""

from dataclasses import dataclass

import pytest

from components.model.sizing.fit import ServeOptions, fit, fit_within
from components.model.sizing.kv_cache import KvCache
from components.model.sizing.memory import GIB, Batch, default_batch, graphs_gib, non_torch_gib, peak_activation_gib
from components.model.sizing.offload import offloaded
from tests.support.models.catalogue_sizes import A10, A100, B200, GH200, H100, H200, LIKE_GH200, machine
from tests.support.models.model_configs import Stored, stored_shape

LLAMA_8B, LLAMA_70B, QWEN_32B = (
    "meta-llama/Llama-3.1-8B-Instruct",
    "meta-llama/Llama-3.1-70B-Instruct",
    "Qwen/Qwen3-32B",
)


@dataclass(frozen=True)
class Start:
    """What vLLM said at one start."""

    model: str
    stored: Stored
    batched_tokens: int
    weights_gib: float
    peak_gib: float
    kv_gib: float
    kv_tokens: int
    max_model_len: int
    kv_cache_dtype: str = "auto"
    whole_h200: bool = False


STARTS = (
    Start(LLAMA_8B, "bf16", 8192, 15.00, 1.10, 71.62, 586_704, 131072),
    Start(LLAMA_8B, "bf16", 16384, 15.00, 1.78, 70.95, 581_184, 131072),
    Start(LLAMA_70B, "fp8", 8192, 67.73, 2.27, 17.73, 58_080, 32768),
    Start(LLAMA_70B, "fp8", 16384, 67.73, 3.56, 16.44, 53_840, 32768),
    Start(LLAMA_70B, "fp8", 16384, 67.73, 3.56, 16.44, 107_696, 65536, "fp8"),
    Start(QWEN_32B, "bf16", 8192, 61.06, 1.61, 25.07, 102_656, 32768),
    Start(QWEN_32B, "bf16", 16384, 61.06, 3.00, 23.68, 96_960, 32768),
    Start(LLAMA_8B, "bf16", 16384, 15.00, 1.72, 111.67, 914_784, 131072, whole_h200=True),
)


@pytest.mark.parametrize("start", STARTS, ids=lambda s: f"{s.model}-{s.stored}-{s.batched_tokens}-{s.kv_tokens}")
def test_kv_tokens_are_those_that_vllm_measured(start: Start) -> None:
    """0.26 took off neither CUDA graphs with the v2 runner nor what that runner keeps, so both are left out here."""
    size = H200 if start.whole_h200 else LIKE_GH200
    shape = stored_shape(start.model, start.stored)
    wish = ServeOptions(start.max_model_len, 0, start.kv_cache_dtype, max_num_batched_tokens=start.batched_tokens)
    peak = peak_activation_gib(shape, size.gpu, wish.batch(default_batch(size.gpu)))
    found = fit_within(shape, size, wish, peak + non_torch_gib(1))
    assert found.weights_gib == pytest.approx(start.weights_gib, abs=0.05)
    assert peak == pytest.approx(start.peak_gib, abs=0.1)
    assert found.kv_gib == pytest.approx(start.kv_gib, rel=0.005)
    assert found.kv_tokens == pytest.approx(start.kv_tokens, rel=0.005)


def test_the_start_with_offload_is_that_which_vllm_measured() -> None:
    """70B in 16 bits with `--cpu-offload-gb 52` and the v1 runner, which subtracts its estimate for graphs."""
    shape = stored_shape(LLAMA_70B)
    wish = ServeOptions(8192, 52, max_num_batched_tokens=16384, runner="v1")
    found = fit(shape, LIKE_GH200, wish)
    assert found.fits
    assert offloaded(shape, 52).nbytes / GIB == pytest.approx(52.16, abs=0.01)
    assert found.weights_gib == pytest.approx(79.29, abs=0.03)
    assert found.peak_activation_gib + non_torch_gib(1) + graphs_gib(shape, "v1") == pytest.approx(5.02, abs=0.05)
    assert found.kv_tokens == pytest.approx(11_920, rel=0.005)
    assert found.max_model_len == pytest.approx(11_920, rel=0.005)


@pytest.mark.parametrize(("model", "gib"), [(LLAMA_8B, 0.98), (LLAMA_70B, 1.92), (QWEN_32B, 1.88)])
def test_graphs_take_about_what_they_took(model: str, gib: float) -> None:
    assert graphs_gib(stored_shape(model)) == pytest.approx(gib, abs=0.25)


def test_graphs_cost_cache_unless_there_are_none() -> None:
    shape = stored_shape(LLAMA_8B)
    with_graphs, eager = fit(shape, GH200, ServeOptions()), fit(shape, GH200, ServeOptions(enforce_eager=True))
    assert eager.kv_gib - with_graphs.kv_gib == pytest.approx(graphs_gib(shape))


def test_the_batch_is_vllms_default_for_the_gpu() -> None:
    large, small = Batch(8192, 1024), Batch(2048, 256)
    sizes = (GH200, H100, machine("gpu_8x_a100_80gb_sxm4"), A100, A10)
    assert [default_batch(size.gpu) for size in sizes] == [large, large, small, small, small]
    assert default_batch(B200.gpu) == Batch(16384, 1024)


def test_a_windowed_layer_keeps_no_more_than_its_window_and_two_batches() -> None:
    shape = stored_shape("openai/gpt-oss-120b")
    cache = KvCache(shape, "auto", 1, 2048)
    layers_page = 18 * 16 * 2 * 8 * 64 * 2
    short, long, longer = (cache.sequence_bytes(n) for n in (1600, 16000, 32000))
    assert short == layers_page * (100 + 101)
    assert longer - long == layers_page * 1000


def test_tensor_parallel_shares_heads_but_not_a_latent() -> None:
    llama = stored_shape(LLAMA_70B)
    cache = {size: KvCache(llama, "auto", size, 8192).sequence_bytes(16) for size in (1, 8, 16)}
    assert cache[8] * 8 == cache[1]
    assert cache[16] == cache[8]
    deepseek = stored_shape("deepseek-ai/DeepSeek-V3")
    latent = 16 * 61 * 576 * 2
    assert {KvCache(deepseek, "auto", size, 8192).sequence_bytes(16) for size in (1, 8)} == {latent}
