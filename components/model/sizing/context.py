"""How long a sequence may be, from the positions that config.json speaks of (vLLM 0.32: `_get_and_verify_max_len`)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from components.model.sizing.config_reader import ConfigReader
from components.model.sizing.model_shape import ShapeError

# Each may stand in a configuration, and the smallest counts; but `model_max_length` wins over all.
_LENGTHS = (
    *("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "model_max_length"),
    *("max_target_positions", "max_sequence_length", "max_seq_length", "seq_len"),
)
_OLD_NAMES = {"su": "longrope", "mrope": "default", "telechat3-yarn": "yarn"}
# Their `factor` is in the positions of the configuration already.
_SCALED = frozenset({"longrope", "llama3", "yarn", "deepseek_yarn", "deepseek_llama_scaling"})
_KNOWN = _SCALED | {"default", "linear", "dynamic", "ntk", "mllama4", "xdrope", "openpangu", "proportional"}
KINDS_OF_LAYERS = frozenset(
    {"full_attention", "sliding_attention", "chunked_attention", "linear_attention", "attention"}
)

MULTIMODAL_FACTOR = 4
"""By which vLLM lengthens the table of models that count positions in three dimensions (`MRotaryEmbedding`)."""


@dataclass(frozen=True)
class Context:
    """Tokens of a sequence."""

    longest: int
    """That `--max-model-len` may be at most."""
    default: int
    """That vLLM serves at most when nobody says how many."""
    rows: int
    """Of the tables of positions, all together."""


def context_of(config: ConfigReader) -> Context:
    """The context that vLLM takes from a configuration; `ShapeError` when it does not say."""
    ropes = list(ropes_of(config))
    for rope in ropes:
        if rope_type(rope) not in _KNOWN:
            raise ShapeError(f"config.json: positions of the type {rope_type(rope)} cannot be sized")
    positions = _positions(config)
    is_scaled_already = str(config.value("model_type") or "").startswith("gemma3")
    longest = positions if is_scaled_already else int(positions * _factor(ropes))
    default = longest
    if any(rope_type(rope) == "longrope" for rope in ropes):
        default = config.number("original_max_position_embeddings", default=longest)
    return Context(longest, default, _rows(config, ropes, positions))


def refusal(config: Mapping[str, Any]) -> str:
    """Why vLLM would not take the positions of a configuration, in one line; empty when it would."""
    for rope in ropes_of(ConfigReader(config)):
        new, old = rope.get("rope_type"), rope.get("type")
        both = isinstance(new, str) and isinstance(old, str) and bool(new) and bool(old)
        if both and new != old and (old, new) not in {("su", "longrope"), ("mrope", "default")}:
            return f"config.json names the positions {new} and {old} at once, which vLLM 0.32 refuses"
        if old == "su" and not new and not rope.get("original_max_position_embeddings"):
            return (
                "config.json names the positions su, without their original_max_position_embeddings, which vLLM 0.32 "
                "refuses: set hf-overrides in vllmArgs, or choose a later modelRevision"
            )
    return ""


def ropes_of(config: ConfigReader) -> Iterator[Mapping[str, Any]]:
    """Rotary positions: of all layers, or of each kind of layers."""
    found = config.value("rope_scaling") or config.value("rope_parameters")
    if not isinstance(found, Mapping) or not found:
        return
    if found.keys() <= KINDS_OF_LAYERS:
        yield from (rope for rope in found.values() if isinstance(rope, Mapping) and rope)
    else:
        yield found


def rope_type(rope: Mapping[str, Any]) -> str:
    """The type by its present name."""
    named = str(rope.get("rope_type") or rope.get("type") or "default")
    return _OLD_NAMES.get(named, named)


def _positions(config: ConfigReader) -> int:
    found = [config.number(name) for name in _LENGTHS if config.value(name) is not None]
    if not found:
        raise ShapeError(f"config.json has no {' or '.join(_LENGTHS[:4])}: models of this kind cannot be sized")
    return config.number("model_max_length", default=0) or min(found)


def _factor(ropes: list[Mapping[str, Any]]) -> float:
    """The last one counts, as all layers are taken to have the same."""
    factor = 1.0
    for rope in ropes:
        if rope_type(rope) not in _SCALED:
            factor = _number(rope, "factor", factor)
    return factor


def _rows(config: ConfigReader, ropes: list[Mapping[str, Any]], positions: int) -> int:
    """What each type of positions makes its table for. Gemma 3 writes those of its windows without a section."""
    rows = sum(_rows_of(config, rope, positions) for rope in ropes) or positions
    has_local = config.value("rope_local_base_freq") or str(config.value("model_type")) == "gemma3_text"
    return rows + positions if has_local and len(ropes) < 2 else rows


def _rows_of(config: ConfigReader, rope: Mapping[str, Any], positions: int) -> int:
    kind, factor = rope_type(rope), _number(rope, "factor", 1.0)
    original = _number(rope, "original_max_position_embeddings", 0)
    if "mrope_section" in rope:
        return MULTIMODAL_FACTOR * positions
    if kind == "longrope":
        return positions + config.number("original_max_position_embeddings", default=int(original))
    if kind in ("yarn", "deepseek_yarn"):
        return int((original or positions) * factor)
    return int(positions * factor) if kind in ("linear", "dynamic", "ntk") else positions


def _number(rope: Mapping[str, Any], name: str, default: float) -> float:
    value = rope.get(name)
    return default if value is None else float(value)
