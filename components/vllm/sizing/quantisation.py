"""How a checkpoint is quantised, from its config.json."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.vllm.sizing.config_reader import ConfigReader
from components.vllm.sizing.model_shape import WeightFormat


@dataclass(frozen=True)
class Quantisation:
    """Weights and activations of most matrices."""

    method: str | None
    weights: WeightFormat
    activations: bool
    """True when activations are quantised to 8 bits as well."""
    block: int
    """Rows that share a scale; 1 when the scales allow any split."""


NONE = Quantisation(None, "16-bit", False, 1)


def quantisation_of(config: ConfigReader) -> Quantisation:
    """Read `quantization_config`, or `compression_config` as older checkpoints call it."""
    section = config.section("quantization_config") or config.section("compression_config")
    if not section:
        return NONE
    method = str(section.get("quant_method", "")).lower() or "unknown"
    if method == "fp8" or method.endswith("_fp8"):
        return Quantisation(method, "fp8", True, _rows_of_block(section.get("weight_block_size")))
    if method == "mxfp4":
        return Quantisation(method, "mxfp4", False, 1)
    if method == "modelopt" or method.startswith("modelopt"):
        return _modelopt(method, section)
    if method == "compressed-tensors":
        return _compressed_tensors(section)
    bits = section.get("bits", section.get("w_bit", 4))
    return Quantisation(method, "int8" if bits == 8 else "int4", False, 1)


def _modelopt(method: str, section: Mapping[str, Any]) -> Quantisation:
    nested = section.get("quantization")
    algorithm = str(section.get("quant_algo") or (nested if isinstance(nested, Mapping) else {}).get("quant_algo", ""))
    if "FP4" in algorithm.upper() or method.endswith("fp4"):
        return Quantisation(method, "nvfp4", True, 1)
    return Quantisation(method, "fp8", True, 1)


def _compressed_tensors(section: Mapping[str, Any]) -> Quantisation:
    groups = section.get("config_groups")
    group: Mapping[str, Any] = next(iter(groups.values()), {}) if isinstance(groups, Mapping) else {}
    weights = group.get("weights") or {}
    bits, kind = weights.get("num_bits", 8), weights.get("type", "int")
    forms: tuple[WeightFormat, WeightFormat] = ("fp8", "nvfp4") if kind == "float" else ("int8", "int4")
    activations = bool(group.get("input_activations"))
    return Quantisation(
        "compressed-tensors", forms[bits != 8], activations, _rows_of_block(weights.get("block_structure"))
    )


def _rows_of_block(block: Any) -> int:
    return int(block[0]) if isinstance(block, list | tuple) and block else 1
