"""What of the server's settings follows from the model and the machine, when the user leaves it to us."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from components.model.sizing.demands import part_of_one_copy, tensor_parallel_size
from components.model.sizing.fit import ServeOptions, fit
from components.model.sizing.gpus import MachineSize
from components.model.sizing.layouts import with_whole_windows, without_latent, without_windows
from components.model.sizing.model_shape import ModelShape, ShapeError
from components.model.sizing.overrides import OverridesError, overrides_of
from components.model.sizing.shape import overridden_shape
from components.model.sizing.variants import quantised
from components.settings import Settings

DTYPES = ("auto", "half", "float16", "bfloat16", "float", "float32")
"""What `--dtype` takes."""


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 1


FLAGS_OF_WISH: Mapping[str, tuple[str, Callable[[object], bool], str]] = {
    "gpu-memory-utilization": ("gpu_memory_utilization", _is_share, "a number above 0 and up to 1, such as 0.92"),
    "dtype": ("dtype", lambda value: value in DTYPES, f"one of {', '.join(DTYPES)}"),
    "kv-cache-dtype": ("kv_cache_dtype", lambda value: isinstance(value, str), "a word such as fp8"),
    "max-num-batched-tokens": ("max_num_batched_tokens", _is_count, "a whole number from 1 on"),
    "max-num-seqs": ("max_num_seqs", _is_count, "a whole number from 1 on"),
    "tensor-parallel-size": ("tensor_parallel_size", _is_count, "a whole number from 1 on"),
    "data-parallel-size": ("data_parallel_size", _is_count, "a whole number from 1 on"),
    "enforce-eager": ("enforce_eager", lambda value: isinstance(value, bool), "true or false"),
}
"""Flags of `vllm serve` on which the memory depends: names in a `ServeOptions`, what vLLM takes, and how to say it."""

WITHOUT_A_PLAN = frozenset({"pipeline-parallel-size", "decode-context-parallel-size", "prefill-context-parallel-size"})
"""Flags that share a model out in a way that the sizing does not know."""

SERVES_COMPLETIONS = {"runner": ("auto", "generate"), "convert": ("auto", "none")}
"""Values with which vLLM serves completions, which is what an endpoint has to answer before it is called ready."""

NAMES_OF_REPOSITORIES = ("tokenizer", "hf-config-path")
_REPOSITORY = re.compile(r"\w[\w.-]*/\w[\w.-]*")


class UnfitError(Exception):
    """The model that is pinned does not fit the machine as the user wants it served; one line."""


@dataclass(frozen=True)
class Decision:
    """Flags that depend on the machine that was launched."""

    cpu_offload_gb: float = 0
    """GiB for each GPU."""
    tensor_parallel_size: int = 1


def check_flags(settings: Settings) -> list[str]:
    """A line for each flag that vLLM would refuse, or that cannot be reckoned with."""
    given = settings.vllm_args
    refused = [
        f"vllmArgs: {flag} takes {allowed}"
        for flag, (_, accepts, allowed) in FLAGS_OF_WISH.items()
        if flag in given and not accepts(given[flag])
    ]
    try:
        overrides_of(given)
    except OverridesError as error:
        refused.append(f"vllmArgs: {error}")
    refused += [
        f"vllmArgs: {flag} names {name}, and only the repository of `model` is downloaded: the server runs offline"
        for flag, name in _repositories(given).items()
        if name != settings.model
    ]
    refused += [
        f"vllmArgs: {flag} {given[flag]} takes the completions away, and an endpoint without them is not served"
        for flag, kept in SERVES_COMPLETIONS.items()
        if given.get(flag, "auto") not in kept
    ]
    return refused + [
        f"vllmArgs: {flag} is not reckoned with: leave it out; the GPUs of a machine share the model by "
        "tensor-parallel-size, and data-parallel-size gives each of so many copies its part of them"
        for flag in sorted(WITHOUT_A_PLAN & given.keys())
        if given[flag] != 1
    ]


def _repositories(given: Mapping[str, Any]) -> dict[str, str]:
    """Repositories of the hub that flags name; a path on the machine is none."""
    named = {flag: given.get(flag) for flag in NAMES_OF_REPOSITORIES}
    draft = given.get("speculative-config")
    named["speculative-config"] = draft.get("model") if isinstance(draft, Mapping) else None
    return {flag: name for flag, name in named.items() if isinstance(name, str) and _REPOSITORY.fullmatch(name)}


def serve_options_of(settings: Settings) -> ServeOptions:
    """What the user asks of the memory; None where it is left to us. The flags have passed `check_flags`."""
    given: dict[str, Any] = {
        name: settings.vllm_args[flag] for flag, (name, _, _) in FLAGS_OF_WISH.items() if flag in settings.vllm_args
    }
    return ServeOptions(
        max_model_len=None if settings.max_model_len == "auto" else settings.max_model_len,
        cpu_offload_gib=None if settings.cpu_offload_gb == "auto" else settings.cpu_offload_gb,
        runner="v1" if _is_no(settings.vllm_env.get("VLLM_USE_V2_MODEL_RUNNER")) else "v2",
        pins_offloaded=not _is_yes(settings.vllm_env.get("VLLM_WEIGHT_OFFLOADING_DISABLE_PIN_MEMORY")),
        beyond_context=_is_yes(settings.vllm_env.get("VLLM_ALLOW_LONG_MAX_MODEL_LEN")),
        **given,
    )


def loaded_shape(shape: ModelShape, settings: Settings) -> ModelShape | None:
    """The shape as vLLM holds it with the user's flags; None when they make it one that cannot be sized.

    With `quantization: fp8` vLLM quantises weights of 16 bits while it loads them. `hf-overrides` change what
    config.json says; other flags and variables how its cache is laid out.
    """
    args = settings.vllm_args
    try:
        loaded = overridden_shape(shape, overrides_of(args))
    except (OverridesError, ShapeError):
        return None
    if args.get("quantization") == "fp8" and loaded.weight_format == "16-bit":
        loaded = quantised(loaded, "fp8")
    return _laid_out(loaded, args, settings.vllm_env)


def _laid_out(shape: ModelShape, args: Mapping[str, Any], environment: Mapping[str, Any]) -> ModelShape:
    if args.get("disable-sliding-window") is True:
        shape = without_windows(shape)
    chunks_are_whole = _is_no(environment.get("VLLM_ALLOW_CHUNKED_LOCAL_ATTN_WITH_HYBRID_KV_CACHE"))
    if args.get("disable-hybrid-kv-cache-manager") is True or (shape.has_chunks and chunks_are_whole):
        shape = with_whole_windows(shape)
    return without_latent(shape) if _is_yes(environment.get("VLLM_MLA_DISABLE")) else shape


def _is_yes(value: object) -> bool:
    """As vLLM reads a variable that is unset by default."""
    return str(value).strip().lower() in ("1", "true")


def _is_no(value: object) -> bool:
    """As vLLM reads a variable that is a number, and 1 unless it is set."""
    return str(value).strip() == "0"


def unreckoned(shape: ModelShape, machine: MachineSize | None, settings: Settings) -> Decision:
    """The same where `hf-overrides` make the model one that cannot be sized: as near as the model without them comes.

    Nothing is refused for it: nobody knows, and all GPUs are used as before.
    """
    others = {flag: value for flag, value in settings.vllm_args.items() if flag != "hf-overrides"}
    plain = loaded_shape(shape, settings.model_copy(update={"vllm_args": others}))
    wish = replace(serve_options_of(settings), beyond_context=True)
    if machine is None or plain is None:
        return decide(None, None, wish)
    part = part_of_one_copy(machine, wish)
    found = fit(plain, machine, wish)
    offload = found.cpu_offload_gib if found.fits else wish.cpu_offload_gib or 0
    return Decision(offload, tensor_parallel_size(plain, max(1, part.gpus), wish))


def decide(shape: ModelShape | None, machine: MachineSize | None, wish: ServeOptions) -> Decision:
    """The flags for this model on this machine; without a GPU, or a shape, those that the user gave.

    `UnfitError` when it does not fit: a plan leaves such a machine out, but it is of today's commit, and this one may
    be older, or the hub could not be asked.
    """
    if machine is None or shape is None:
        return Decision(wish.cpu_offload_gib or 0, wish.tensor_parallel_size or 1)
    found = fit(shape, machine, wish)
    if not found.fits:
        raise UnfitError(f"model: {machine.name}: {found.reason}; the server was not changed")
    return Decision(found.cpu_offload_gib, found.tensor_parallel_size)
