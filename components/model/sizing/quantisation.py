"""How a checkpoint is quantised, from its config.json."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.model.sizing.model_shape import WeightFormat
from components.model.sizing.schemes import (
    IN_8_BITS,
    compressed_tensors_scheme,
    form_of_scheme,
    inc_scheme,
    quark_schemes,
)
from components.vllm.release.quantisation import algorithm_of, method_of, section_of


@dataclass(frozen=True)
class Quantisation:
    """Weights and activations of most matrices."""

    method: str | None
    """vLLM's name of it."""
    weights: WeightFormat
    activations: bool
    """True when activations are quantised as well, where the GPU computes in such numbers."""
    block: int
    """Rows that share a scale; 1 when the scales allow any split."""
    schemes: tuple[str, ...] = ()
    """vLLM's classes for its ways of multiplying, of all kinds of layers, for methods that have several."""


NONE = Quantisation(None, "16-bit", False, 1)


def quantisation_of(config: Mapping[str, Any]) -> Quantisation:
    """Read config.json, in whichever of its places the quantisation stands."""
    method, section = method_of(config), section_of(config)
    if method is None or section is None:
        return NONE
    if method == "compressed-tensors":
        return _compressed_tensors(section)
    if method == "quark":
        return _by_schemes(method, quark_schemes(section))
    if method == "inc":
        return _by_schemes(method, (inc_scheme(section),))
    if method.startswith("modelopt"):
        return _modelopt(method, section)
    if method == "fp8" or method.endswith("_fp8"):
        return Quantisation(method, "fp8", True, _rows_of_block(section.get("weight_block_size")))
    if method.endswith("mxfp4"):
        return Quantisation(method, "mxfp4", False, 1)
    if method == "mxfp8":
        return Quantisation(method, "mxfp8", True, 1)
    bits = section.get("bits", section.get("w_bit", 4))
    return Quantisation(method, "int8" if bits == 8 or "int8" in method else "int4", False, 1)


def _modelopt(method: str, section: Mapping[str, Any]) -> Quantisation:
    if method == "modelopt_mixed":
        nested = section.get("quantization")
        layers = (nested if isinstance(nested, Mapping) else section).get("quantized_layers") or {}
        counted = Counter(str(layer.get("quant_algo", "")).upper() for layer in layers.values())
        most = counted.most_common(1)[0][0] if counted else ""
        return Quantisation(method, _of_algorithm(most), False, 1)
    algorithm = algorithm_of(section)
    groups = section.get("config_groups")
    # vLLM takes a group without quantised inputs for what it is, whatever the algorithm is called.
    weights_only = (
        isinstance(groups, Mapping) and groups and not any(g.get("input_activations") for g in groups.values())
    )
    in_16_bits = "A16" in algorithm or (algorithm == "NVFP4" and bool(weights_only))
    return Quantisation(method, _of_algorithm(algorithm), not in_16_bits, 128 if algorithm == "FP8_PB_WO" else 1)


def _of_algorithm(algorithm: str) -> WeightFormat:
    if "NVFP4" in algorithm:
        return "nvfp4"
    if "MXFP4" in algorithm:
        return "mxfp4"
    return "mxfp8" if "MXFP8" in algorithm else "fp8"


def _compressed_tensors(section: Mapping[str, Any]) -> Quantisation:
    """The first group of layers gives the form of the weights, all of them the schemes."""
    groups = section.get("config_groups")
    found = list(groups.values()) if isinstance(groups, Mapping) else []
    weights = (found[0].get("weights") if found else None) or {}
    schemes = [scheme for group in found if (scheme := compressed_tensors_scheme(group, section.get("format")))]
    form = form_of_scheme(schemes[0]) if schemes else None
    activations = bool(found and found[0].get("input_activations"))
    bits, kind = weights.get("num_bits", 8), weights.get("type", "int")
    fallback: WeightFormat = ("fp8" if kind == "float" else "int8") if bits == 8 else "int4"
    return Quantisation(
        "compressed-tensors",
        # Fewer bits than four are unpacked by the same kernels; how many bytes there are the headers say.
        "int8" if form == "int4" and bits == 8 else form or fallback,
        activations and (not schemes or schemes[0] in IN_8_BITS),
        _rows_of_block(weights.get("block_structure")),
        tuple(dict.fromkeys(schemes)),
    )


def _by_schemes(method: str, schemes: tuple[str | None, ...]) -> Quantisation:
    named = tuple(scheme for scheme in schemes if scheme)
    if not named:
        return Quantisation(method, "int4", False, 1)
    return Quantisation(method, form_of_scheme(named[0]) or "int4", named[0] in IN_8_BITS, 1, named)


def _rows_of_block(block: Any) -> int:
    return int(block[0]) if isinstance(block, list | tuple) and block else 1
