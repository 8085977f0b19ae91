"""The tables of positions that vLLM holds beside the weights: a row for each position, of the rotary dimension."""

from collections.abc import Mapping
from typing import Any

from components.vllm.sizing.config_reader import ConfigReader

MULTIMODAL_FACTOR = 4
"""By which vLLM lengthens the table of models that count positions in three dimensions."""


def position_rows(config: ConfigReader) -> int:
    """Rows of all tables together: layers with a base or a scaling of their own have their own table."""
    longest = config.number("max_position_embeddings", "n_positions", "max_seq_len", "seq_length")
    scaling = config.section("rope_parameters") or config.section("rope_scaling")
    by_kind = [part for part in scaling.values() if isinstance(part, Mapping)]
    if by_kind:
        return sum(_rows(longest, part) for part in {str(part): part for part in by_kind}.values())
    has_local = config.value("rope_local_base_freq") is not None or config.value("model_type") == "gemma3_text"
    return _rows(longest, scaling) + (longest if has_local else 0)


def _rows(longest: int, scaling: Mapping[str, Any]) -> int:
    """As the classes of vLLM's rotary_embedding lay out their cache, by the kind of scaling."""
    kind = str(scaling.get("rope_type", scaling.get("type", "default")))
    factor = float(scaling.get("factor") or 1)
    original = int(scaling.get("original_max_position_embeddings") or longest)
    if "mrope_section" in scaling:
        return MULTIMODAL_FACTOR * longest
    if kind in ("linear", "dynamic"):
        return round(longest * factor)
    if kind in ("yarn", "deepseek_yarn"):
        return max(longest, round(original * factor))
    return longest + original if kind in ("longrope", "su") else longest
