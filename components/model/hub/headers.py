"""Headers of safetensors files: names, types and shapes of all tensors without the numbers.

The format: eight bytes with the length of the header, little-endian; the header, which is JSON; the numbers.
"""

import json
import struct
from typing import Any, Protocol

from components.model.hub.checkpoint import BITS, RepositoryFile, TensorHeader
from components.model.hub.errors import HubError
from components.text.counted import counted

LENGTH_BYTES = 8
FIRST_READ = 128 * 2**10
"""Bytes asked for at first: the header of nearly every file of a sharded model is shorter."""
LONGEST_HEADER = 25_000_000
"""Bytes; huggingface_hub refuses longer ones too."""


class PartReader(Protocol):
    """Reads `count` bytes of a file from `start` on, or as many as there are."""

    def __call__(self, path: str, start: int, count: int) -> bytes: ...


def read_header(file: RepositoryFile, read: PartReader) -> dict[str, TensorHeader]:
    """Every tensor of a file, in one request where the header is short, else two.

    Raises:
        HubError: this is no safetensors file.
    """
    start = read(file.path, 0, min(FIRST_READ, max(file.size, LENGTH_BYTES)))
    if len(start) < LENGTH_BYTES:
        raise _not_safetensors(file, "it is too short")
    (length,) = struct.unpack("<Q", start[:LENGTH_BYTES])
    end = LENGTH_BYTES + length
    if length > LONGEST_HEADER or end > file.size:
        raise _not_safetensors(file, f"it announces a header of {length} bytes")
    if end > len(start):
        start += read(file.path, len(start), end - len(start))
    if end > len(start):
        raise _not_safetensors(file, "its header is cut off")
    return _parse(file, start[LENGTH_BYTES:end])


def _parse(file: RepositoryFile, header: bytes) -> dict[str, TensorHeader]:
    try:
        entries = json.loads(header)
        tensors = {str(name): _tensor(entry) for name, entry in entries.items() if name != "__metadata__"}
        last = max((int(entry["data_offsets"][1]) for name, entry in entries.items() if name in tensors), default=0)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        known = not isinstance(error, _UnknownTypeError)
        raise _not_safetensors(file, "its header is damaged" if known else f"its tensors are of type {error}") from None
    if LENGTH_BYTES + len(header) + last != file.size:
        raise _not_safetensors(file, f"its header and its size of {counted(file.size, 'byte')} do not match")
    return tensors


class _UnknownTypeError(ValueError):
    """The type is not one of those the format has."""


def _tensor(entry: Any) -> TensorHeader:
    dtype, shape = entry["dtype"], tuple(entry["shape"])
    if dtype not in BITS:
        raise _UnknownTypeError(str(dtype)[:20])
    if not all(isinstance(size, int) and size >= 0 for size in shape):
        raise ValueError
    tensor = TensorHeader(dtype, shape)
    begin, end = entry["data_offsets"]
    if begin < 0 or end - begin != tensor.nbytes:
        raise ValueError
    return tensor


def _not_safetensors(file: RepositoryFile, why: str) -> HubError:
    return HubError(f"{file.path} cannot be read as safetensors: {why}; choose another modelRevision or model")
