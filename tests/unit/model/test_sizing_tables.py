"""Computed tables: what fits where. They assume an overhead of 2.8 GiB (offload: 3.0) and nvidia-smi's totals, which
are injected here."""

from collections.abc import Mapping

import pytest

from components.model.sizing.fit import ServeOptions, fit, fit_within
from components.model.sizing.gpus import MachineSize
from tests.support.models.catalogue_sizes import A10, A100, B200, GH200, H100, LIKE_GH200, machine, with_memory
from tests.support.models.model_configs import Stored, stored_shape

OVERHEAD_GIB = 2.8
LLAMA_70B = "meta-llama/Llama-3.1-70B-Instruct"
LLAMA_405B = "meta-llama/Llama-3.1-405B-Instruct"
MACHINES: Mapping[str, MachineSize] = {
    "GH200": LIKE_GH200,
    "H100": with_memory(H100, 79.6),
    "A100": with_memory(A100, 40.0),
    "A10": with_memory(A10, 22.5),
    "B200": with_memory(B200, 179.0),
}

# Thousands of tokens; None where it does not fit.
TABLE: Mapping[tuple[str, Stored], Mapping[str, float | None]] = {
    ("meta-llama/Llama-3.1-8B-Instruct", "bf16"): {"GH200": 575, "H100": 455, "A100": 156, "A10": 24, "B200": 1204},
    ("meta-llama/Llama-3.1-8B-Instruct", "fp8"): {"GH200": 628, "H100": 508},
    ("meta-llama/Llama-3.1-8B-Instruct", "int4"): {"GH200": 654, "H100": 534},
    (LLAMA_70B, "bf16"): {"GH200": None, "H100": None, "A100": None, "A10": None, "B200": 100},
    (LLAMA_70B, "fp8"): {"GH200": 57, "H100": 9},
    (LLAMA_70B, "int4"): {"GH200": 158, "H100": 110},
    (LLAMA_405B, "bf16"): {"GH200": None, "H100": None, "A100": None, "A10": None, "B200": None},
    ("Qwen/Qwen3-8B", "bf16"): {"GH200": 509, "H100": 402, "A100": 136, "A10": 19, "B200": 1068},
    ("Qwen/Qwen3-8B", "fp8"): {"GH200": 556},
    ("Qwen/Qwen3-8B", "int4"): {"GH200": 579},
    ("Qwen/Qwen3-32B", "bf16"): {"GH200": 99, "H100": 39, "A100": None, "A10": None, "B200": 413},
    ("Qwen/Qwen3-32B", "fp8"): {"GH200": 218, "H100": 158},
    ("Qwen/Qwen3-32B", "int4"): {"GH200": 275, "H100": 215},
    ("Qwen/Qwen3-30B-A3B", "bf16"): {"GH200": 309, "H100": 149, "A100": None, "A10": None, "B200": 1148},
    ("Qwen/Qwen3-30B-A3B", "fp8"): {"GH200": 613, "H100": 453},
    ("Qwen/Qwen3-30B-A3B", "int4"): {"GH200": 760, "H100": 600},
    ("Qwen/Qwen3-235B-A22B", "bf16"): {"GH200": None, "H100": None, "A100": None, "A10": None, "B200": None},
    ("Qwen/Qwen3-235B-A22B", "int4"): {"B200": 264},
    ("mistralai/Mixtral-8x7B-Instruct-v0.1", "bf16"): {"GH200": None, "H100": None, "A100": None, "B200": 614},
    ("mistralai/Mixtral-8x7B-Instruct-v0.1", "fp8"): {"GH200": 339, "H100": 219},
    ("mistralai/Mixtral-8x7B-Instruct-v0.1", "int4"): {"GH200": 511, "H100": 391},
    ("mistralai/Mixtral-8x22B-Instruct-v0.1", "bf16"): {"GH200": None, "H100": None, "A100": None, "B200": None},
    ("mistralai/Mixtral-8x22B-Instruct-v0.1", "fp8"): {"B200": 143},
    ("mistralai/Mixtral-8x22B-Instruct-v0.1", "int4"): {"GH200": 80, "H100": 11},
}


@pytest.mark.parametrize(
    ("model", "stored", "where", "thousands"),
    [(*row, where, thousands) for row, columns in TABLE.items() for where, thousands in columns.items()],
)
def test_kv_tokens_without_offload(model: str, stored: Stored, where: str, thousands: float | None) -> None:
    found = fit_within(stored_shape(model, stored), MACHINES[where], ServeOptions(cpu_offload_gib=0), OVERHEAD_GIB)
    assert found.fits == (thousands is not None)
    if thousands is not None:
        assert found.kv_tokens / 1000 == pytest.approx(thousands, rel=0.05)


@pytest.mark.parametrize(("where", "low", "high"), [("GH200", 350, 400), ("H100", 150, 180)])
def test_half_windowed_gpt_oss_holds_what_is_told_of_it(where: str, low: float, high: float) -> None:
    """The range is a rough one. Short sequences use all layers, long ones half of them: it lies between the two."""
    shape = stored_shape("openai/gpt-oss-120b")
    short, long = (
        fit_within(shape, MACHINES[where], ServeOptions(max_model_len=length), OVERHEAD_GIB).kv_tokens / 1000
        for length in (8192, 131072)
    )
    assert short <= high
    assert long >= low
    assert long == pytest.approx(2 * short, rel=0.15)


@pytest.mark.parametrize(
    ("thousand_tokens", "kv_cache_dtype", "gib"),
    [
        (8, "auto", 49.0),
        (16, "auto", 51.5),
        (32, "auto", 56.5),
        (64, "auto", 66.5),
        (128, "auto", 86.5),
        (16, "fp8", 49.0),
        (128, "fp8", 66.5),
    ],
)
def test_least_offload_of_70b_on_a_gh200(thousand_tokens: int, kv_cache_dtype: str, gib: float) -> None:
    """The list is without slack; the 2 GiB of slack that are set by default stay within 5 % of it."""
    shape, wish = stored_shape(LLAMA_70B), ServeOptions(1024 * thousand_tokens, None, kv_cache_dtype)
    assert fit_within(shape, LIKE_GH200, wish, 3.0, slack_gib=0.0).cpu_offload_gib == gib
    assert fit_within(shape, LIKE_GH200, wish, 3.0).cpu_offload_gib == pytest.approx(gib, rel=0.05)


@pytest.mark.parametrize(
    ("model", "stored", "name", "fits"),
    [
        (LLAMA_405B, "bf16", "gpu_8x_b200_sxm6", True),
        (LLAMA_405B, "bf16", "gpu_8x_h100_sxm5", False),
        (LLAMA_405B, "fp8", "gpu_8x_h100_sxm5", True),
        (LLAMA_405B, "int4", "gpu_4x_h100_sxm5", True),
        (LLAMA_405B, "int4", "gpu_2x_h100_sxm5", False),
        ("Qwen/Qwen3-235B-A22B", "fp8", "gpu_4x_h100_sxm5", True),
        ("Qwen/Qwen3-235B-A22B", "fp8", "gpu_2x_h100_sxm5", False),
        (LLAMA_70B, "bf16", "gpu_8x_h100_sxm5", True),
    ],
)
def test_large_models_need_several_gpus(model: str, stored: Stored, name: str, fits: bool) -> None:
    assert fit(stored_shape(model, stored), machine(name), ServeOptions()).fits == fits


def test_70b_on_eight_h100_holds_about_1_4_million_tokens() -> None:
    found = fit(stored_shape(LLAMA_70B), machine("gpu_8x_h100_sxm5"), ServeOptions())
    assert found.tensor_parallel_size == 8
    assert found.kv_tokens == pytest.approx(1.4e6, rel=0.05)


@pytest.mark.parametrize(
    ("model", "stored", "offload_gib", "bound"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", "bf16", 0, 249),
        ("meta-llama/Llama-3.1-8B-Instruct", "fp8", 0, 440),
        (LLAMA_70B, "fp8", 0, 55),
        (LLAMA_70B, "int4", 0, 101),
        (LLAMA_70B, "bf16", 90, 4.4),
        (LLAMA_70B, "bf16", 60, 6.1),
    ],
)
def test_one_stream_is_bound_by_the_bytes_it_reads(
    model: str, stored: Stored, offload_gib: float, bound: float
) -> None:
    found = fit(stored_shape(model, stored), GH200, ServeOptions(cpu_offload_gib=offload_gib))
    assert found.tokens_per_second == pytest.approx(bound, rel=0.03)
    assert found.formula.endswith(f" = {found.tokens_per_second:.1f} tokens/s")


def test_only_the_experts_that_a_token_passes_are_read() -> None:
    found = fit(stored_shape("Qwen/Qwen3-30B-A3B"), GH200, ServeOptions())
    # 3.3 billion active parameters of 30.5, and the embedding
    assert found.tokens_per_second == pytest.approx(4000 / (2 * 3.35), rel=0.03)
