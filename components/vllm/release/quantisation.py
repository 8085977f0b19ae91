"""Quantised weights: how a checkpoint says that it has them, and whether the vLLM pinned for GPUs loads them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.vllm.release.lists import GPU_TARGET, generated

_LIST: Mapping[str, Any] = generated("quantisation", GPU_TARGET)

LISTED_VERSION: str = _LIST["vllm"]
"""The release that the list is of."""
UNKNOWN = "unknown"
"""In place of a method that is not named."""
_VLLM = f"vLLM {LISTED_VERSION}"
_OTHER = "choose an FP8, AWQ or GPTQ checkpoint"
# What vLLM calls the methods of checkpoints (`override_quantization_method` of its classes, on CUDA).
_CALLED = {"gptq": "auto_gptq", "awq": "auto_awq", "auto-round": "inc"}
_DEEPSEEK_V4 = ("deepseek_v4", "deepseek_v4_text", "deepseek_v41", "deepseek_v41_text")


@dataclass(frozen=True)
class Support:
    """Where vLLM loads such weights."""

    least: int
    """Compute capability from which on it does, ten times the major plus the minor version, as vLLM counts."""
    most: int | None
    """The last one, where newer GPUs do not; None where all do."""
    dtypes: tuple[str, ...]
    """Types that activations may have."""


def section_of(config: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What config.json says of the quantisation, None when it says nothing.

    Looked for where vLLM does: `quantization_config` or, as older checkpoints call it, `compression_config`, of the
    whole or of its `text_config`. What ModelOpt wrote to a file of its own, `Hub.resolve` has put in its place.
    """
    for place in (config, config.get("text_config")):
        if isinstance(place, Mapping):
            found = place.get("quantization_config") or place.get("compression_config")
            if isinstance(found, Mapping):
                return found
    return None


def method_of(config: Mapping[str, Any]) -> str | None:
    """The method by vLLM's name (`--quantization`); None without quantisation, `UNKNOWN` when none is named."""
    section = section_of(config)
    if section is None:
        return None
    method = str(section.get("quant_method") or "").lower().replace("compressed_tensors", "compressed-tensors")
    if _is_legacy(section):
        method = _LIST["modelopt"]["legacy"].get(algorithm_of(section), "modelopt")
    if method.startswith("modelopt"):
        return _modelopt_method(algorithm_of(section)) or method
    model_type = config.get("model_type")
    if method == "mxfp4" and model_type == "gpt_oss":
        return "gpt_oss_mxfp4"
    if method == "fp8" and model_type in _DEEPSEEK_V4:
        return "deepseek_v4_fp8"
    return _CALLED.get(method, method or UNKNOWN)


def algorithm_of(section: Mapping[str, Any]) -> str:
    """ModelOpt's `quant_algo` in capitals; empty when there is none."""
    nested = section.get("quantization")
    source = nested if isinstance(nested, Mapping) else section
    return str(source.get("quant_algo") or "").upper()


def cache_dtype_of(config: Mapping[str, Any]) -> str:
    """What `--kv-cache-dtype auto` comes to: `fp8` where the checkpoint brings scales for such a cache, else `auto`.

    As in vLLM's `resolve_kv_cache_dtype_string`; a cache of four bits counts as one of eight.
    """
    section, method = section_of(config), method_of(config) or ""
    if section is None:
        return "auto"
    if method == "compressed-tensors":
        return "fp8" if section.get("kv_cache_scheme") else "auto"
    if not method.startswith("modelopt"):
        return "auto"
    nested = section.get("quantization")
    places = (nested if isinstance(nested, Mapping) else section, section)
    named = [place.get(key) for key in ("kv_cache_scheme", "kv_cache_quant_algo") for place in places]
    scheme = next(filter(None, named), None)
    if isinstance(scheme, Mapping):
        is_fp8 = scheme.get("num_bits") == 8 and scheme.get("dynamic") is False
        return "fp8" if scheme.get("type") == "float" and (is_fp8 or scheme.get("num_bits") == 4) else "auto"
    return "fp8" if str(scheme).lower() in ("fp8", "nvfp4") else "auto"


def support(method: str | None, schemes: Sequence[str] = ()) -> Support | None:
    """Where weights run that are quantised so; None when they are not, or vLLM does not know the method.

    Args:
        method: vLLM's name of it, as `method_of` gives it.
        schemes: vLLM's classes for the ways of multiplying that the layers need, for methods that have several.
    """
    found = _LIST["methods"].get(method)
    if found is None:
        return None
    needed = [found, *(_LIST["schemes"][name] for name in schemes if name in _LIST["schemes"])]
    ends = [one["most"] for one in needed if "most" in one]
    ends += [_LIST["int8_below"] - 1 for one in needed if one.get("int8")]
    return Support(max(one["least"] for one in needed), min(ends, default=None), tuple(found["dtypes"]))


def unsupported_quantisation(config: Mapping[str, Any], allow_deprecated: bool = False) -> str | None:
    """Why the pinned vLLM does not load the weights of such a config.json, in one line; `None` when it does.

    Args:
        config: config.json.
        allow_deprecated: whether `--allow-deprecated-quantization` is set.
    """
    method, section = method_of(config), section_of(config)
    if method is None or section is None:
        return None
    if method == UNKNOWN:
        return f"config.json does not say by which method the weights are quantised (quant_method): {_OTHER}"
    if method not in _LIST["methods"]:
        return f"{_VLLM} does not load weights quantised by {method}: {_OTHER}"
    if method in _LIST["deprecated"] and not allow_deprecated:
        return (
            f"{_VLLM} loads weights quantised by {method} only with allow-deprecated-quantization in vllmArgs: set it, "
            "or choose another checkpoint"
        )
    if needs := _LIST["methods"][method].get("needs"):
        return f"{_VLLM} loads weights quantised by {method} only with the package {needs[0]}, which it lacks: {_OTHER}"
    kind = next(_kinds_not_loaded(method, section), None)
    return f"{_VLLM} does not load weights quantised by {method} with {kind}: {_OTHER}" if kind else None


def _kinds_not_loaded(method: str, section: Mapping[str, Any]) -> Iterator[str]:
    """Kinds of a method that vLLM refuses while it reads the configuration."""
    if method.startswith("modelopt") and method != "modelopt_mxfp8":
        algorithm = algorithm_of(section)
        if _is_legacy(section) and algorithm not in _LIST["modelopt"]["legacy"]:
            yield f"quant_algo {algorithm} in ModelOpt's old form"
        elif algorithm not in _LIST["modelopt"]["algorithms"]:
            yield f"quant_algo {algorithm or 'not named'}"
    if method == "compressed-tensors":
        yield from _compressed_kinds_not_loaded(section)
    kinds = _LIST["methods"][method].get("kinds", [])
    bits, symmetric = section.get("bits", section.get("w_bit")), section.get("sym", True)
    if kinds and bits is not None and bits not in kinds and [bits, symmetric] not in kinds:
        yield f"bits {bits}" if [bits, True] not in kinds else f"bits {bits} and sym false"
    # With one group for each row the order of the columns does not matter.
    if method == "auto_gptq" and section.get("desc_act") is True and section.get("group_size") != -1:
        yield "desc_act true"


def _compressed_kinds_not_loaded(section: Mapping[str, Any]) -> Iterator[str]:
    sparsity = section.get("sparsity_config")
    if isinstance(sparsity, Mapping) and sparsity.get("targets"):
        yield "a sparsity_config"
    groups = section.get("config_groups")
    for group in groups.values() if isinstance(groups, Mapping) else ():
        weights = group.get("weights") if isinstance(group, Mapping) else None
        order = weights.get("actorder") if isinstance(weights, Mapping) else None
        if order in ("group", "dynamic"):
            yield f"actorder {order}"


def _is_legacy(section: Mapping[str, Any]) -> bool:
    """The form of ModelOpt up to 0.29, which names its producer in place of a method."""
    producer, nested = section.get("producer"), section.get("quantization")
    if not (isinstance(nested, Mapping) and nested.get("quant_algo")):
        return False
    return (isinstance(producer, Mapping) and producer.get("name") == "modelopt") or "modelopt_quant_config" in nested


def _modelopt_method(algorithm: str) -> str | None:
    if "FP4" in algorithm:
        return "modelopt_fp4"
    if "MXFP8" in algorithm:
        return "modelopt_mxfp8"
    return {"FP8": "modelopt", "MIXED_PRECISION": "modelopt_mixed"}.get(algorithm)
