"""What holds for every model, machine and wish."""

import json
import os
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.model.sizing.fit import TARGET_CONTEXT, ServeOptions, fit
from components.model.sizing.gpus import FAST_LINK_GB_S, MachineSize
from components.model.sizing.offload import USABLE_HOST_SHARE
from components.model.sizing.shape import LayerRun, ModelShape
from tests.support.models.catalogue_sizes import BY_PRICE, GH200
from tests.support.models.model_configs import CONFIGS, Stored, stored_shape

# How long one example takes says nothing on a loaded machine.
calm = settings(
    deadline=None,
    max_examples=int(os.environ.get("EXAMPLES", "80")),
    # The same examples each time, so that a failure is that of a change; EXAMPLES asks for more of them, and others.
    derandomize="EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)


def kinds(model: str) -> tuple[Stored, ...]:
    return ("bf16", "fp8", "int4") if "Llama" in model or "Mixtral" in model else ("bf16",)


models = st.sampled_from([(model, stored) for model in CONFIGS for stored in kinds(model)]).map(
    lambda row: stored_shape(*row)
)
machines = st.sampled_from(BY_PRICE)
kv_dtypes = st.sampled_from(["auto", "fp8"])
contexts = st.one_of(st.none(), st.integers(1, 32768))
batches = st.sampled_from([512, 2048, 8192, 16384])


@calm
@given(models, kv_dtypes, contexts, st.floats(0, 400), st.floats(0, 400))
def test_more_offload_never_gives_fewer_tokens(
    model: ModelShape, dtype: str, context: int | None, one: float, other: float
) -> None:
    less, more = (fit(model, GH200, ServeOptions(context, gib, dtype)) for gib in sorted((one, other)))
    assert more.kv_tokens >= less.kv_tokens
    assert more.max_model_len >= less.max_model_len
    assert more.weights_gib <= less.weights_gib
    assert more.host_memory_gib >= less.host_memory_gib


@calm
@given(models, machines, contexts, batches, st.floats(1, 4))
def test_a_larger_gpu_never_fits_less(
    model: ModelShape, size: MachineSize, context: int | None, batch: int, factor: float
) -> None:
    """With the same batch: vLLM's default grows with the memory."""
    larger = replace(size, gpu=replace(size.gpu, memory_gib=size.gpu.memory_gib * factor))
    wish = ServeOptions(context, 0, max_num_batched_tokens=batch, max_num_seqs=256)
    small, large = fit(model, size, wish), fit(model, larger, wish)
    assert large.fits >= small.fits
    assert large.kv_tokens >= small.kv_tokens
    assert large.max_model_len >= small.max_model_len


@calm
@given(models, st.floats(8, 200), st.floats(16, 1024), contexts, kv_dtypes, batches)
def test_what_offloads_by_itself_serves_the_context_within_the_host(
    model: ModelShape, gpu_gib: float, host_gib: float, context: int | None, dtype: str, batch: int
) -> None:
    size = MachineSize(replace(GH200.gpu, memory_gib=gpu_gib), 1, host_gib, "grace")
    found = fit(model, size, ServeOptions(context, None, dtype, max_num_batched_tokens=batch))
    assert found.host_memory_gib <= USABLE_HOST_SHARE * host_gib
    assert found.cpu_offload_gib * 2 == int(found.cpu_offload_gib * 2)
    if found.fits:
        assert found.max_model_len >= (context or min(2048, model.max_context))
        assert found.kv_tokens >= min(context or 0, model.max_context)
        assert not found.reason
    else:
        assert found.reason
        assert "\n" not in found.reason


@calm
@given(models, contexts)
def test_no_less_offload_than_its_slack_would_do(model: ModelShape, context: int | None) -> None:
    found = fit(model, GH200, ServeOptions(context))
    wanted = context or min(TARGET_CONTEXT, model.max_context)
    if found.fits and found.cpu_offload_gib and found.max_model_len >= wanted:
        # Slack, half a GiB of rounding, and the last parameter, which is moved whole.
        largest = max(max(run.parameters) for run in model.decoder) / 2**30
        less = max(0.0, found.cpu_offload_gib - 3 - largest)
        assert not fit(model, GH200, ServeOptions(wanted, less)).fits


@calm
@given(models, machines, contexts)
def test_a_slow_link_is_never_used_by_itself(model: ModelShape, size: MachineSize, context: int | None) -> None:
    if size.gpu.host_link_gb_s < FAST_LINK_GB_S:
        assert fit(model, size, ServeOptions(context)).cpu_offload_gib == 0


runs = st.lists(
    st.builds(
        LayerRun,
        st.integers(1, 200),
        st.lists(st.integers(0, 2**40), max_size=20).map(tuple),
        st.integers(0, 2**40),
        st.integers(0, 2**40),
    ),
    max_size=5,
).map(tuple)


@calm
@given(models, runs, st.integers(0, 2**50))
def test_a_shape_survives_its_json(model: ModelShape, decoder: tuple[LayerRun, ...], nbytes: int) -> None:
    changed = replace(model, decoder=decoder, weights_bytes=nbytes)
    assert ModelShape.from_json(json.loads(json.dumps(changed.to_json()))) == changed
    assert ModelShape.from_json(json.loads(json.dumps(changed.to_json()), parse_int=float)) == changed
