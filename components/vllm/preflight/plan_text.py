"""A plan as people read it, and as a program does."""

from collections.abc import Iterator
from typing import Any

from components.lambda_cloud.instance.candidates import Candidate
from components.model.sizing.fit import Fit
from components.model.sizing.model_shape import ModelShape
from components.text.counted import counted
from components.vllm.decision import loaded_shape
from components.vllm.forecast import Forecast, forecast
from components.vllm.preflight import Plan, TypeFit
from components.vllm.release.architectures import only_by_transformers
from components.vllm.versions import PINNED_VLLM

GIB = 1 << 30


def lines(plan: Plan) -> list[str]:
    """The plan of a launch."""
    return [*lines_of_any_plan(plan), *lines_of_a_launch(plan)]


def lines_of_any_plan(plan: Plan) -> list[str]:
    """A few lines: model at its commit, machines with price and capacity, memory, download."""
    return [*_model(plan), *_serving(plan), *_left_out(plan), *_memory(plan), *_download(plan)]


def lines_of_a_launch(plan: Plan) -> list[str]:
    """When the first token comes, what it costs until then, and whether a machine has to be waited for."""
    return [*_cost(plan), *_waiting(plan)]


def lines_beside_a_machine(plan: Plan) -> list[str]:
    """Where a machine runs and stays: what it serves when today's commit is not to be had, and what would keep a new
    machine from being launched."""
    kept = f"model {plan.settings.model}: at the commit that this stack has served so far"
    return [*([kept] if plan.facts is None else []), *_warnings(plan)]


def document(plan: Plan) -> dict[str, Any]:
    """The same for a program: sizes in bytes or GiB as the names say, money in US dollars."""
    facts = plan.facts
    shape = facts.shape if facts else None
    return {
        "model": facts.model if facts else plan.settings.model,
        "commit": facts.commit if facts else None,
        "architecture": shape.architecture if shape else None,
        "quantisation": shape.quantisation if shape else None,
        "unknown": facts.unknown or None if facts else plan.problem or None,
        "weights_gib": round(shape.weights_bytes / GIB, 2) if shape else None,
        "download": {"files": facts.files, "bytes": facts.download_bytes} if facts else None,
        "vllm": {
            "version": plan.settings.vllm_version or PINNED_VLLM,
            "install": plan.settings.install,
            "driver": plan.settings.driver,
        },
        "candidates": [
            {
                "instance_type": one.instance_type,
                "region": one.region,
                "dollars_per_hour": plan.market.dollars_per_hour(one),
                "has_capacity": plan.market.has_capacity(one),
            }
            for one in plan.candidates
        ],
        "machines": [_machine(plan, one) for one in plan.types],
        "warnings": list(plan.warnings),
    }


def _machine(plan: Plan, one: TypeFit) -> dict[str, Any]:
    told: dict[str, Any] = {"instance_type": one.instance_type}
    if one.fit:
        found = vars(one.fit)
        told |= {name: round(value, 2) if isinstance(value, float) else value for name, value in found.items()}
        told["context"] = _context(plan, one.fit) if one.fit.fits else 0
    ahead = _forecast(plan, one)
    if ahead:
        told |= {
            "minutes_to_first_token": round(ahead.minutes, 1),
            "dollars_to_first_token": round(ahead.dollars, 2),
        }
    return told


def _model(plan: Plan) -> Iterator[str]:
    if plan.facts is None:
        return
    shape = plan.facts.shape
    kind = f", {shape.architecture}, {shape.quantisation or shape.element_type}" if shape else ""
    yield f"model {plan.facts.model} at {plan.facts.commit[:12]}{kind}"
    if shape and only_by_transformers([shape.architecture]):
        yield f"vLLM runs {shape.architecture} with the code of transformers, having none of its own: slower"
    if plan.facts.unknown:
        yield f"memory: not known beforehand, {plan.facts.unknown}"


def _serving(plan: Plan) -> Iterator[str]:
    allowed = plan.instance_types
    for one in plan.candidates:
        if one.instance_type in allowed:
            now = "capacity now" if plan.market.has_capacity(one) else "no capacity now"
            yield f"{one}: {plan.market.price(one)} an hour, {now}{_not_launched(plan, one)}"


def _not_launched(plan: Plan, one: Candidate) -> str:
    if plan.is_too_dear(one):
        return ", more than maxPricePerHour: not launched"
    return "" if plan.market.is_sold(one) else ", and not sold there"


def _left_out(plan: Plan) -> list[str]:
    return [f"{one.instance_type} is left out: {one.fit.reason}" for one in plan.types if one.fit and not one.serves]


def _launched(plan: Plan) -> Iterator[TypeFit]:
    """Types on which the model may come to run: it fits, and they are not too dear."""
    dear = {one.instance_type for one in plan.candidates if plan.is_too_dear(one)}
    return (one for one in plan.types if one.serves and one.instance_type not in dear)


def _memory(plan: Plan) -> Iterator[str]:
    if plan.facts is None or plan.facts.shape is None:
        return
    for one in _launched(plan):
        found = one.fit
        if found is None:
            yield f"{one.instance_type}: {_not_reckoned(one)}"
            continue
        moved = _offloaded_gib(plan.facts.shape, found)
        offload = f"{moved:g} GiB more in the machine's memory, " if moved else ""
        each = f" on each of {found.tensor_parallel_size} GPUs" if found.tensor_parallel_size > 1 else ""
        rate = found.tokens_per_second
        yield (
            f"{one.instance_type}: {found.weights_gib:.1f} GiB of weights{each}, {offload}{found.kv_gib:.1f} GiB for "
            f"{counted(found.kv_tokens, 'token')} of KV cache, context {_context(plan, found):,}{_more(plan, found)}; "
            f"one stream gets at most {rate:.{1 if rate < 10 else 0}f} tokens/s"
        )


def _not_reckoned(one: TypeFit) -> str:
    if not one.gpus:
        return "has no GPU, so vLLM computes on the CPU; whether the model fits its memory is not reckoned"
    if one.size:
        return "with these hf-overrides memory and speed are not reckoned"
    return (
        "its GPU is not known here, so memory and speed are not reckoned; vLLM uses one GPU unless vllmArgs has "
        "tensor-parallel-size"
    )


def _context(plan: Plan, found: Fit) -> int:
    """Tokens of the longest sequence that will be served."""
    wanted = plan.settings.max_model_len
    return found.max_model_len if wanted == "auto" else wanted


def _more(plan: Plan, found: Fit) -> str:
    """Some models are served with less than they can: vLLM takes all of it only when it is asked for."""
    shape = loaded_shape(plan.facts.shape, plan.settings) if plan.facts and plan.facts.shape else None
    if shape is None or plan.settings.max_model_len != "auto" or found.max_model_len < shape.served_context:
        return ""
    return f" (maxModelLen may be up to {shape.max_context:,})" if shape.served_context < shape.max_context else ""


def _offloaded_gib(shape: ModelShape, found: Fit) -> float:
    """What each GPU leaves to the machine's memory: as it is set, but not more than there is to leave."""
    return round(min(found.cpu_offload_gib, shape.decoder_bytes / found.tensor_parallel_size / GIB), 1)


def _download(plan: Plan) -> Iterator[str]:
    if plan.facts is not None:
        yield f"downloads: {counted(plan.facts.files, 'file')}, {_size(plan.facts.download_bytes)}"


def _cost(plan: Plan) -> Iterator[str]:
    for one in _launched(plan):
        ahead = _forecast(plan, one)
        if ahead:
            yield (
                f"{one.instance_type}: first token about {ahead.minutes:.0f} minutes after the launch, about "
                f"${ahead.dollars:.2f} by then, ${_price(plan, one):.2f} an hour from then on"
            )


def _waiting(plan: Plan) -> Iterator[str]:
    if not any(plan.market.has_capacity(one) and not plan.is_too_dear(one) for one in plan.candidates):
        minutes = counted(plan.settings.capacity_timeout_minutes, "minute")
        yield (
            f"no acceptable machine is free now: the launch waits for one, up to {minutes}; one that is to be replaced "
            "is ended before that"
        )


def _size(nbytes: int) -> str:
    return f"{nbytes / 1e9:.1f} GB" if nbytes >= 1e8 else f"{nbytes / 1e6:.1f} MB"


def _warnings(plan: Plan) -> list[str]:
    return [f"a new machine could not serve now: {line}" for line in plan.warnings]


def _forecast(plan: Plan, one: TypeFit) -> Forecast | None:
    """None where nothing is known of the model, or where it does not fit."""
    if plan.facts is None or not one.serves:
        return None
    shape, found = plan.facts.shape, one.fit
    return forecast(
        _price(plan, one),
        plan.facts.download_bytes,
        (shape.weights_bytes if shape else plan.facts.download_bytes) / GIB,
        _offloaded_gib(shape, found) * found.tensor_parallel_size if shape and found else 0,
        plan.settings.install,
        plan.settings.driver == "upgrade",
    )


def _price(plan: Plan, one: TypeFit) -> float:
    return next(plan.market.dollars_per_hour(c) for c in plan.candidates if c.instance_type == one.instance_type)
