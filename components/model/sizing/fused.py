"""The decoder layers of a checkpoint as vLLM holds them: with matrices fused that the checkpoint keeps apart.

Which ones are fused decides how much memory offloading takes: it moves whole parameters, and pinning rounds each up.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby

from components.model.hub.checkpoint import TensorHeader
from components.model.sizing.model_shape import LayerRun, ShapeError
from components.text.counted import counted

_LAYER = re.compile(r"^(?P<prefix>(?:.*\.)?)(?:layers|h|blocks)\.(?P<index>\d+)\.(?P<rest>.+)$")
# Draft layers of multi-token prediction are loaded only when speculation is asked for.
_DRAFT = re.compile(r"(^|\.)mtp\.")
_EXPERT = re.compile(r"\bexperts\.(?:\d+\.)?")
_ROUTED = re.compile(r"(?<!shared_)\bexperts\.")

# Last part of a module's name to that of the fused module.
_FUSED: Mapping[str, str] = {
    **dict.fromkeys(("q_proj", "k_proj", "v_proj"), "qkv_proj"),
    **dict.fromkeys(("q_a_proj", "kv_a_proj_with_mqa"), "fused_qkv_a_proj"),
    **dict.fromkeys(("gate_proj", "up_proj"), "gate_up_proj"),
}
_FUSED_EXPERT: Mapping[str, str] = {
    **dict.fromkeys(("gate_proj", "up_proj", "w1", "w3"), "w13"),
    **dict.fromkeys(("down_proj", "w2"), "w2"),
}
_ATTENTION = ("attn", "attention")
_FIRST = ("qkv_proj", "fused_qkv_a_proj", "q_b_proj", "kv_b_proj", "gate_up_proj", "w13")


@dataclass(frozen=True)
class Weights:
    """All weights that are loaded."""

    nbytes: int
    decoder: tuple[LayerRun, ...]


def loaded_weights(tensors: Mapping[str, TensorHeader], layers: int) -> Weights:
    """Read the headers of a model with so many decoder layers; `ShapeError` when they do not hold those."""
    prefix = _decoder_prefix(tensors)
    by_layer: dict[int, dict[str, int]] = defaultdict(dict)
    total = 0
    for name, header in tensors.items():
        if _DRAFT.search(name):
            continue
        nbytes = _loaded_bytes(name, header)
        match = _LAYER.match(name)
        if match and match["prefix"] == prefix:
            if int(match["index"]) >= layers:
                continue
            by_layer[int(match["index"])][match["rest"]] = nbytes
        total += nbytes
    missing = sorted(set(range(layers)) - by_layer.keys())
    if missing:
        raise ShapeError(
            f"config.json says {counted(layers, 'layer')}, but the safetensors files have no tensor of layer "
            f"{missing[0]}: the repository is incomplete, or of a kind that cannot be sized"
        )
    each: list[LayerRun] = []
    # Most layers are like the one before: only the first of those is looked at, as each may have a thousand tensors.
    for held, alike in groupby(by_layer[index] for index in range(layers)):
        each += [_layer(held)] * len(list(alike))
    runs = [(layer, len(list(same))) for layer, same in groupby(each)]
    return Weights(total, tuple(LayerRun(count, r.parameters, r.expert_bytes, r.linear_bytes) for r, count in runs))


def _decoder_prefix(tensors: Mapping[str, TensorHeader]) -> str:
    """What stands before the decoder's layers: of all stacks of layers, vision's among them, theirs is the largest."""
    sizes: dict[str, int] = defaultdict(int)
    for name, header in tensors.items():
        if (match := _LAYER.match(name)) and not _DRAFT.search(name):
            sizes[match["prefix"]] += header.nbytes
    if not sizes:
        raise ShapeError("the repository has no safetensors files with decoder layers: only such models can be sized")
    return max(sizes, key=lambda prefix: sizes[prefix])


def _loaded_bytes(name: str, header: TensorHeader) -> int:
    """Size once loaded: weights of 32 bits become 16; scales and the like stay as they are."""
    wide = header.dtype in ("F32", "F64") and name.endswith((".weight", ".bias"))
    return header.nbytes * 16 // (32 if header.dtype == "F32" else 64) if wide else header.nbytes


def _layer(tensors: Mapping[str, int]) -> LayerRun:
    parameters: dict[str, int] = defaultdict(int)
    for name, nbytes in tensors.items():
        parameters[_fused_name(name)] += nbytes
    ordered = sorted(parameters, key=_rank)
    experts = [name for name in ordered if _ROUTED.search(name)]
    linear = [name for name in ordered if name not in experts and "norm" not in name]
    return LayerRun(
        layers=1,
        parameters=tuple(parameters[name] for name in ordered),
        expert_bytes=_sum(parameters, experts),
        linear_bytes=_sum(parameters, linear),
    )


def _sum(parameters: Mapping[str, int], names: Iterable[str]) -> int:
    return sum(parameters[name] for name in names)


def _fused_name(name: str) -> str:
    module, _, leaf = name.rpartition(".")
    parent, _, projection = module.rpartition(".")
    if _ROUTED.search(name):
        parent, table = _EXPERT.sub("experts.", f"{parent}.").rstrip("."), _FUSED_EXPERT
    else:
        table = _FUSED
    return ".".join(part for part in (parent, table.get(projection, projection), leaf) if part)


def _rank(name: str) -> tuple[int, bool, str]:
    """Attention, MLP, then the norms; in each, what goes in before what comes out."""
    if "norm" in name:
        return 2, False, name
    block = 0 if any(word in name for word in _ATTENTION) else 1
    return block, not any(f".{first}." in f".{name}." for first in _FIRST), name
