"""What a model repository holds at one commit, read without downloading the weights."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

BITS: Mapping[str, int] = {
    "F64": 64,
    "F32": 32,
    "F16": 16,
    "BF16": 16,
    "F8_E4M3": 8,
    "F8_E5M2": 8,
    "F8_E8M0": 8,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
    "F4": 4,
    "I64": 64,
    "U64": 64,
    "I32": 32,
    "U32": 32,
    "I16": 16,
    "U16": 16,
    "I8": 8,
    "U8": 8,
    "BOOL": 8,
}
"""Bits of one element, by the names of the safetensors format."""


@dataclass(frozen=True)
class TensorHeader:
    """What a safetensors file says of one tensor."""

    dtype: str
    """A key of `BITS`."""
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """Size in bytes; `KeyError` for a type that safetensors does not have."""
        return prod(self.shape) * BITS[self.dtype] // 8


@dataclass(frozen=True)
class RepositoryFile:
    """A file of the repository."""

    path: str
    size: int
    """Bytes."""
    sha256: str | None
    """Of the content; only files in Git LFS or Xet have it, which the weights are."""


@dataclass(frozen=True)
class Checkpoint:
    """A model at one commit: what will be served, whatever happens to the branch later."""

    model: str
    """`owner/repository`, as the hub spells it now."""
    commit: str
    """40 hexadecimal digits."""
    config: Mapping[str, Any]
    """`config.json`."""
    files: tuple[RepositoryFile, ...]
    """What is downloaded: all but what vLLM does not read, such as `original/`."""
    tensors: Mapping[str, TensorHeader]
    """Every tensor of the safetensors files, by name; empty when the repository has none."""

    @property
    def download_bytes(self) -> int:
        """Bytes to download."""
        return sum(file.size for file in self.files)
