"""Memory of keys and values: for a token, for a sequence, and how many tokens a given room holds."""

from dataclasses import dataclass
from math import ceil

from components.model.sizing.model_shape import ModelShape

BLOCK = 16
"""Tokens of a block, the unit in which vLLM hands out the cache."""

# With asynchronous scheduling, the default, two batches are on their way at once; a window keeps their tokens too.
BATCHES_IN_FLIGHT = 2

# With prefix caching, the default, a layer keeps the state at the end of a block besides the one it works with.
STATES = 2


def kv_bytes_per_token(shape: ModelShape, kv_cache_dtype: str = "auto", tensor_parallel_size: int = 1) -> float:
    """Bytes for each GPU of one more token of a long sequence: only layers with full attention keep it."""
    cache = KvCache(shape, kv_cache_dtype, tensor_parallel_size, 0)
    return shape.full_layers * _layer_bytes(shape, kv_cache_dtype, tensor_parallel_size) * cache.share_of_heads


@dataclass(frozen=True)
class KvCache:
    """The cache of one GPU for a model."""

    shape: ModelShape
    dtype: str
    """As `--kv-cache-dtype`: `auto` is the model's 16 bits, `fp8…` half of it."""
    tensor_parallel: int
    batched_tokens: int

    most_tokens: int | None = None
    """Of the longest sequence that is asked for; None for what vLLM serves of its own accord."""

    @property
    def limit(self) -> int:
        """Tokens of a sequence, however much room there is."""
        return self.most_tokens or self.shape.served_context

    def sequence_bytes(self, tokens: int) -> float:
        """Bytes that a sequence of so many tokens holds at most."""
        layer, block = _layer_bytes(self.shape, self.dtype, self.tensor_parallel), BLOCK
        full, windowed, states = self._slots()
        if states and layer:
            # All pages are of one size, so that the blocks are as long as a page has to be for a state.
            block = BLOCK * ceil(self.shape.state_bytes / self.tensor_parallel / (BLOCK * layer))
        pages = full * ceil(tokens / block) + STATES * states
        if windowed:
            pages += windowed * self._window_blocks(tokens, block)
        return pages * block * layer * self.share_of_heads

    def _window_blocks(self, tokens: int, block: int) -> int:
        on_their_way = BATCHES_IN_FLIGHT * self.batched_tokens
        if self.shape.has_chunks:
            return ceil(min(self.shape.sliding_window + on_their_way, tokens) / block)
        # One more, since a window seldom begins where a block does.
        return ceil(min(self.shape.sliding_window - 1 + on_their_way, tokens) / block) + 1

    @property
    def share_of_heads(self) -> float:
        """Of the bytes that all layers would take with the most heads of keys that one has."""
        heads = self.shape.kv_heads_by_layer or (self.shape.kv_heads,)
        shares = [max(1, ceil(one / self.tensor_parallel)) for one in heads]
        return sum(shares) / (len(shares) * max(shares))

    def longest_sequence(self, room_bytes: float) -> int:
        """Tokens of the longest sequence that the room holds, in whole blocks or at the model's own limit."""
        low, high = 0, ceil(self.limit / BLOCK)
        while low < high:
            middle = (low + high + 1) // 2
            if self.sequence_bytes(min(middle * BLOCK, self.limit)) <= room_bytes:
                low = middle
            else:
                high = middle - 1
        return min(low * BLOCK, self.limit)

    def tokens(self, room_bytes: float, max_model_len: int) -> int:
        """Tokens as vLLM prints them: sequences of this length that fit, times the length."""
        if max_model_len < 1 or room_bytes <= 0:
            return 0
        return int(room_bytes / self.sequence_bytes(max_model_len) * max_model_len)

    def _slots(self) -> tuple[int, int, int]:
        """Layers with full attention, with a window and with a state, as vLLM counts them: in groups of one size, the
        last padded."""
        counts = (self.shape.full_layers, self.shape.windowed_layers, self.shape.state_layers)
        fewer, more = min((count for count in counts if count), default=0), max(counts)
        group = more if more < 1.5 * fewer else fewer
        full, windowed, states = (ceil(count / group) * group if group else 0 for count in counts)
        return full, windowed, states


def _layer_bytes(shape: ModelShape, dtype: str, tensor_parallel: int) -> float:
    """Bytes of a token in one layer on one GPU. Every GPU has the whole latent, or its share of heads."""
    element = 1 if dtype.startswith(("fp8", "int8")) else 2
    if shape.latent_dim:
        return element * shape.latent_dim
    return element * 2 * max(1, ceil(shape.kv_heads / tensor_parallel)) * shape.head_dim
