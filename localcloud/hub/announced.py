"""Weights of full size that are only announced: real headers, and zeros that take no room on the disk."""

import json
import struct
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

from localcloud.hub.dimensions import LLAMA_31_VOCABULARY, Dimensions, shapes

BYTES = {"BF16": 2, "F8_E4M3": 1}
LARGEST_SHARD = 5 * 10**9
"""Bytes, as transformers splits a model: 30 files for 70B in BF16."""
FP8_CONFIG = {
    "config_groups": {
        "group_0": {
            "input_activations": {"dynamic": False, "num_bits": 8, "strategy": "tensor", "type": "float"},
            "targets": ["Linear"],
            "weights": {"dynamic": False, "num_bits": 8, "strategy": "tensor", "symmetric": True, "type": "float"},
        }
    },
    "format": "float-quantized",
    "ignore": ["lm_head"],
    "quant_method": "compressed-tensors",
    "quantization_status": "compressed",
}
"""`quantization_config` of a checkpoint whose linear layers were made FP8 by llm-compressor."""


@dataclass(frozen=True)
class AnnouncedFile:
    """A file that begins with `start` and goes on in zeros."""

    start: bytes
    size: int
    """Bytes in all."""


@dataclass(frozen=True)
class _Tensor:
    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        return prod(self.shape) * BYTES[self.dtype]


@dataclass(frozen=True)
class AnnouncedWeights:
    """Shards with their index, and what the hub says of them."""

    files: dict[str, AnnouncedFile | bytes]
    parameters: dict[str, int]
    """By type."""
    total_size: int
    """Bytes of all numbers."""


def announced_weights(size: Dimensions, is_fp8: bool) -> AnnouncedWeights:
    """A Llama 3.1 of these dimensions in BF16, or with its linear layers in FP8 and a scale for each."""
    tensors = list(_tensors(size, is_fp8))
    shards = list(_shards(tensors))
    names = [f"model-{number + 1:05d}-of-{len(shards):05d}.safetensors" for number in range(len(shards))]
    total = sum(tensor.nbytes for tensor in tensors)
    weight_map = {tensor.name: name for name, shard in zip(names, shards, strict=True) for tensor in shard}
    index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))}
    files: dict[str, AnnouncedFile | bytes] = {
        name: _safetensors(shard) for name, shard in zip(names, shards, strict=True)
    }
    files["model.safetensors.index.json"] = (json.dumps(index, indent=2) + "\n").encode()
    parameters: Counter[str] = Counter()
    for tensor in tensors:
        parameters[tensor.dtype] += prod(tensor.shape)
    return AnnouncedWeights(files, dict(parameters), total)


def _tensors(size: Dimensions, is_fp8: bool) -> Iterator[_Tensor]:
    for name, shape in shapes(size, LLAMA_31_VOCABULARY):
        if is_fp8 and "_proj." in name:
            yield _Tensor(name, "F8_E4M3", shape)
            yield _Tensor(f"{name}_scale", "BF16", (1,))
            yield _Tensor(name.replace(".weight", ".input_scale"), "BF16", (1,))
        else:
            yield _Tensor(name, "BF16", shape)


def _shards(tensors: Iterable[_Tensor]) -> Iterator[list[_Tensor]]:
    shard: list[_Tensor] = []
    for tensor in tensors:
        if shard and sum(one.nbytes for one in shard) + tensor.nbytes > LARGEST_SHARD:
            yield shard
            shard = []
        shard.append(tensor)
    yield shard


def _safetensors(tensors: list[_Tensor]) -> AnnouncedFile:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for tensor in tensors:
        begin, end = end, end + tensor.nbytes
        header[tensor.name] = {"dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    # The numbers begin at a multiple of eight, as those that write the format see to.
    text += b" " * (-len(text) % 8)
    start = struct.pack("<Q", len(text)) + text
    return AnnouncedFile(start, len(start) + end)
