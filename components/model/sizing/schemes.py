"""By which of its classes vLLM multiplies by the weights of methods that have several ways to.

Each rule is one of `_get_scheme_from_parts` of vLLM's compressed_tensors.py, `_get_scheme_cls_from_config` of its
quark.py or `resolve_scheme` of its inc package (0.32), in the order of theirs. A kind that none of them fits has no
scheme here: vLLM then finds out.
"""

from collections.abc import Mapping
from typing import Any

from components.model.sizing.model_shape import WeightFormat

_FORMS: Mapping[str, WeightFormat] = {
    "CompressedTensorsW4A4Fp4": "nvfp4",
    "CompressedTensorsW4A8Mxfp4": "mxfp4",
    "CompressedTensorsW4A4Mxfp4": "mxfp4",
    "CompressedTensorsW8A8Mxfp8": "mxfp8",
    "CompressedTensorsW4A8Fp8": "int4",
    "CompressedTensorsWNA8O8Int": "int4",
    "CompressedTensorsWNA8Int": "int4",
    "CompressedTensorsWNA4Int": "int4",
    "CompressedTensorsWNA16": "int4",
    "CompressedTensorsW8A16Fp8": "fp8",
    "CompressedTensorsW8A8Int8": "int8",
    "CompressedTensorsW4A8Int": "int8",
    "QuarkNVFP4": "nvfp4",
    "QuarkW8A8Fp8PerBlock": "fp8",
    "QuarkW8A8Fp8": "fp8",
    "QuarkW8A8Int8": "int8",
    "QuarkW4A16Int4": "int4",
    "QuarkW4A8_MXFP4_FP8": "mxfp4",
    "QuarkOCP_MX": "mxfp4",
    "INCFp8LinearScheme": "fp8",
    "INCMxfp8LinearScheme": "mxfp8",
    "INCMxfp4LinearMethod": "mxfp4",
    "INCWNA16LinearScheme": "int4",
}
IN_8_BITS = frozenset(
    {
        "CompressedTensorsW4A4Fp4",
        "CompressedTensorsW4A4Mxfp4",
        "CompressedTensorsW8A8Mxfp8",
        "CompressedTensorsW8A16Fp8",
        "CompressedTensorsW8A8Int8",
        "QuarkNVFP4",
        "QuarkW8A8Fp8",
        "QuarkW8A8Fp8PerBlock",
        "QuarkW8A8Int8",
        "INCMxfp8LinearScheme",
    }
)
"""Schemes that quantise activations to 8 bits or fewer before they multiply, on GPUs that compute in such numbers, if
the checkpoint has quantised them. Others are reckoned with 16 bits, which is never too little."""


def form_of_scheme(scheme: str) -> WeightFormat | None:
    """How the weights are stored."""
    return _FORMS.get(scheme)


def compressed_tensors_scheme(group: Mapping[str, Any], form: object) -> str | None:
    """Of one of the `config_groups`, with the `format` of the whole, which the group may replace."""
    weights, inputs = group.get("weights"), group.get("input_activations")
    if not isinstance(weights, Mapping):
        return None
    inputs = inputs if isinstance(inputs, Mapping) else None
    form = group.get("format") or form
    bits, size, strategy = weights.get("num_bits", 8), weights.get("group_size"), _strategy(weights)
    if weights.get("type", "int") == "float":
        return _of_floats(weights, inputs, bits, size, strategy)
    if inputs is None:
        return "CompressedTensorsWNA16" if strategy in ("group", "channel") and form == "pack-quantized" else None
    if inputs.get("type", "int") == "float":
        is_w4a8 = bits == 4 and strategy == "group" and _strategy(inputs) == "token"
        return "CompressedTensorsW4A8Fp8" if is_w4a8 else None
    if isinstance(group.get("output_activations"), Mapping):
        return "CompressedTensorsWNA8O8Int"
    if form == "pack-quantized":
        return {8: "CompressedTensorsWNA8Int", 4: "CompressedTensorsWNA4Int"}.get(inputs.get("num_bits", 8))
    return {8: "CompressedTensorsW8A8Int8", 4: "CompressedTensorsW4A8Int"}.get(bits)


def _of_floats(
    weights: Mapping[str, Any], inputs: Mapping[str, Any] | None, bits: object, size: object, strategy: str
) -> str | None:
    if bits == 4 and strategy == "tensor_group" and size == 16:
        return "CompressedTensorsW4A4Fp4"
    if bits == 4 and strategy == "group" and size == 32:
        takes_fp8 = inputs is not None and inputs.get("num_bits") == 8
        return "CompressedTensorsW4A8Mxfp4" if takes_fp8 else "CompressedTensorsW4A4Mxfp4"
    if bits == 8 and strategy == "group" and size == 32 and "uint8" in str(weights.get("scale_dtype")):
        return "CompressedTensorsW8A8Mxfp8"
    # Where the GPU has no FP8 (W8A8Fp8 demands it), vLLM takes this one in its place.
    return "CompressedTensorsW8A16Fp8" if bits == 8 and strategy in ("tensor", "channel", "block") else None


def _strategy(numbers: Mapping[str, Any]) -> str:
    """As compressed-tensors infers it where it is not said."""
    size = numbers.get("group_size")
    inferred = "tensor" if size is None else "channel" if size == -1 else "group"
    return str(numbers.get("strategy") or inferred)


def quark_schemes(section: Mapping[str, Any]) -> tuple[str | None, ...]:
    """Of the whole and of the layers that differ from it."""
    parts = [section.get("global_quant_config"), *((section.get("layer_quant_config") or {}).values())]
    return tuple(dict.fromkeys(_quark_scheme(part) for part in parts if isinstance(part, Mapping)))


def _quark_scheme(part: Mapping[str, Any]) -> str | None:
    weight, inputs = _only(part.get("weight")), _only(part.get("input_tensors"))
    if isinstance(part.get("weight"), list) and weight is None:
        return "QuarkNVFP4"
    if weight is None:
        return None
    pair = weight.get("dtype"), (inputs or {}).get("dtype")
    if pair == ("fp8_e4m3", "fp8_e4m3") and weight.get("qscheme") in ("per_tensor", "per_channel"):
        return "QuarkW8A8Fp8"
    if pair == ("fp8_e4m3", "fp8_e4m3") and list(weight.get("block_size") or []) == [128, 128]:
        return "QuarkW8A8Fp8PerBlock"
    if pair == ("int8", "int8"):
        return "QuarkW8A8Int8"
    if pair[0] in ("int4", "uint4") and inputs is None:
        return "QuarkW4A16Int4"
    if pair == ("fp4", "fp8_e4m3") and inputs is not None and not inputs.get("is_dynamic"):
        return "QuarkW4A8_MXFP4_FP8"
    return "QuarkOCP_MX" if str(pair[0]).startswith(("fp4", "fp6", "fp8")) else None


def _only(part: Any) -> Mapping[str, Any] | None:
    """A tensor's entry, which may stand alone in a list."""
    if isinstance(part, list):
        part = part[0] if len(part) == 1 else None
    return part if isinstance(part, Mapping) else None


def inc_scheme(section: Mapping[str, Any]) -> str:
    """Of a checkpoint of AutoRound."""
    kind, bits = str(section.get("data_type") or "int"), section.get("bits")
    if "mx_fp" in kind:
        return "INCMxfp8LinearScheme" if bits == 8 else "INCMxfp4LinearMethod"
    return "INCFp8LinearScheme" if kind.startswith("fp") else "INCWNA16LinearScheme"
