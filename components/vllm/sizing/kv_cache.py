"""Memory of keys and values: for a token, for a sequence, and how many tokens a given room holds."""

from dataclasses import dataclass
from math import ceil

from components.vllm.sizing.model_shape import ModelShape

BLOCK = 16
"""Tokens of a block, the unit in which vLLM hands out the cache."""

# With asynchronous scheduling, the default, two batches are on their way at once; a window keeps their tokens too.
BATCHES_IN_FLIGHT = 2


def kv_bytes_per_token(shape: ModelShape, kv_cache_dtype: str = "auto", tensor_parallel_size: int = 1) -> float:
    """Bytes for each GPU of one more token of a long sequence: only layers with full attention keep it."""
    return shape.full_layers * _layer_bytes(shape, kv_cache_dtype, tensor_parallel_size)


@dataclass(frozen=True)
class KvCache:
    """The cache of one GPU for a model."""

    shape: ModelShape
    dtype: str
    """As `--kv-cache-dtype`: `auto` is the model's 16 bits, `fp8…` half of it."""
    tensor_parallel: int
    batched_tokens: int

    def sequence_bytes(self, tokens: int) -> float:
        """Bytes that a sequence of so many tokens holds at most."""
        page = BLOCK * _layer_bytes(self.shape, self.dtype, self.tensor_parallel)
        full, windowed = self._slots()
        pages = full * ceil(tokens / BLOCK)
        if windowed:
            kept = min(self.shape.sliding_window - 1 + BATCHES_IN_FLIGHT * self.batched_tokens, tokens)
            # One more, since a window seldom begins where a block does.
            pages += windowed * (ceil(kept / BLOCK) + 1)
        return pages * page + self.shape.state_layers * self.shape.state_bytes / self.tensor_parallel

    def longest_sequence(self, room_bytes: float) -> int:
        """Tokens of the longest sequence that the room holds, in whole blocks or at the model's own limit."""
        low, high = 0, ceil(self.shape.max_context / BLOCK)
        while low < high:
            middle = (low + high + 1) // 2
            if self.sequence_bytes(min(middle * BLOCK, self.shape.max_context)) <= room_bytes:
                low = middle
            else:
                high = middle - 1
        return min(low * BLOCK, self.shape.max_context)

    def tokens(self, room_bytes: float, max_model_len: int) -> int:
        """Tokens as vLLM prints them: sequences of this length that fit, times the length."""
        if max_model_len < 1 or room_bytes <= 0:
            return 0
        return int(room_bytes / self.sequence_bytes(max_model_len) * max_model_len)

    def _slots(self) -> tuple[int, int]:
        """Layers with full attention and with a window, as vLLM counts them: in groups of one size, the last padded."""
        full, windowed = self.shape.full_layers, self.shape.windowed_layers
        if not full or not windowed:
            return full, windowed
        fewer, more = sorted((full, windowed))
        group = more if more < 1.5 * fewer else fewer
        return ceil(full / group) * group, ceil(windowed / group) * group


def _layer_bytes(shape: ModelShape, dtype: str, tensor_parallel: int) -> float:
    """Bytes of a token in one layer on one GPU. Every GPU has the whole latent, or its share of heads."""
    element = 1 if dtype.startswith(("fp8", "int8")) else 2
    if shape.latent_dim:
        return element * shape.latent_dim
    return element * 2 * max(1, ceil(shape.kv_heads / tensor_parallel)) * shape.head_dim
