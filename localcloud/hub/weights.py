"""Random weights in bfloat16, the same bytes on every computer."""

import json
from dataclasses import dataclass
from hashlib import sha256
from math import prod

import numpy as np
import numpy.typing as npt
from safetensors import TensorSpec, serialize

from localcloud.hub.dimensions import Dimensions, shapes
from localcloud.hub.kinds import Kind

LAYER_WIDTH = 2.0**-3
"""Weights of a layer lie within this distance of zero: far enough for every word of a prompt to change the answer."""
EMBEDDING_WIDTH = 1.0
OUTPUT_WIDTH = 2.0**-1
"""Wide enough for sampling to prefer some words, narrow enough for it to come out of a loop."""


@dataclass(frozen=True)
class Tensor:
    """One parameter matrix or vector of a model."""

    name: str
    """As in transformers."""
    bits: npt.NDArray[np.uint16]
    """The numbers in bfloat16, which numpy does not have, as their bits."""


def make_tensors(model: str, size: Dimensions, kind: Kind, spoken: npt.NDArray[np.bool_]) -> list[Tensor]:
    """Every parameter of a model.

    Args:
        model: what the random numbers are drawn from; another name gives other weights.
        spoken: for each token of the vocabulary, whether the model may write it. The output of the others is zero, so
            that a random model still writes words and not stray bytes.
    """
    return [
        Tensor(name, _bfloat16(_values(f"{model}/{name}", name, shape, spoken)))
        for name, shape in shapes(size, len(spoken), kind)
    ]


def _values(seed: str, name: str, shape: tuple[int, ...], spoken: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    if name.endswith("norm.weight"):
        return np.ones(shape, np.float32)
    width = {"model.embed_tokens.weight": EMBEDDING_WIDTH, "lm_head.weight": OUTPUT_WIDTH}.get(name, LAYER_WIDTH)
    values = _uniform(seed, shape) * np.float32(width)
    if name == "lm_head.weight":
        values[~spoken] = 0.0
    return values


def _uniform(seed: str, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Numbers in [-1, 1) from raw bits, whose stream numpy keeps stable, unlike that of its distributions."""
    bits = np.random.PCG64(int.from_bytes(sha256(seed.encode()).digest(), "big")).random_raw(prod(shape))
    sixteen = (bits >> np.uint64(48)).astype(np.float32)
    return (sixteen / np.float32(2**15) - np.float32(1)).reshape(shape)


def _bfloat16(values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16]:
    """The upper half of each number."""
    return (values.view(np.uint32) >> np.uint32(16)).astype("<u2")


def safetensors_files(tensors: list[Tensor], shards: int) -> dict[str, bytes]:
    """The weights under the names that transformers saves them by: one file, or shards with their index."""
    if shards == 1:
        return {"model.safetensors": _safetensors(tensors)}
    per_shard = -(-len(tensors) // shards)
    files: dict[str, bytes] = {}
    weight_map: dict[str, str] = {}
    for number in range(shards):
        name = f"model-{number + 1:05d}-of-{shards:05d}.safetensors"
        shard = tensors[number * per_shard : (number + 1) * per_shard]
        files[name] = _safetensors(shard)
        weight_map |= {tensor.name: name for tensor in shard}
    index = {
        "metadata": {"total_size": sum(tensor.bits.nbytes for tensor in tensors)},
        "weight_map": dict(sorted(weight_map.items())),
    }
    return files | {"model.safetensors.index.json": (json.dumps(index, indent=2) + "\n").encode()}


def _safetensors(tensors: list[Tensor]) -> bytes:
    specs = {
        tensor.name: TensorSpec(
            dtype="bfloat16",
            shape=tensor.bits.shape,
            data_ptr=tensor.bits.ctypes.data,
            data_len=tensor.bits.nbytes,
        )
        for tensor in tensors
    }
    return bytes(serialize(specs, metadata={"format": "pt"}))
