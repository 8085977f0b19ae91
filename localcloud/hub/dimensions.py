"""The sizes of a model, and the tensors that follow from them."""

from collections.abc import Iterator
from dataclasses import dataclass

from localcloud.hub.kinds import LLAMA, Kind


@dataclass(frozen=True)
class Dimensions:
    """The numbers of `config.json` that shape the weights."""

    hidden_size: int
    intermediate_size: int
    layers: int
    attention_heads: int
    key_value_heads: int

    @property
    def head_size(self) -> int:
        """`head_dim`."""
        return self.hidden_size // self.attention_heads


def tiny(layers: int) -> Dimensions:
    """Small enough to be made on the spot; two heads of 32, the smallest that vLLM 0.32 has a CPU kernel for."""
    return Dimensions(64, 160, layers, attention_heads=2, key_value_heads=1)


LLAMA_31_8B = Dimensions(4096, 14336, 32, attention_heads=32, key_value_heads=8)
LLAMA_31_70B = Dimensions(8192, 28672, 80, attention_heads=64, key_value_heads=8)
LLAMA_31_VOCABULARY = 128256


def shapes(size: Dimensions, vocabulary: int, kind: Kind = LLAMA) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Every tensor by its name in transformers, in the order of the layers."""
    hidden = size.hidden_size
    yield "model.embed_tokens.weight", (vocabulary, hidden)
    for layer in range(size.layers):
        prefix = f"model.layers.{layer}"
        yield f"{prefix}.input_layernorm.weight", (hidden,)
        yield from ((f"{prefix}.self_attn.{name}", shape) for name, shape in _attention(size, kind))
        yield f"{prefix}.post_attention_layernorm.weight", (hidden,)
        yield from ((f"{prefix}.mlp.{name}", shape) for name, shape in _mlp(size, kind))
    yield "model.norm.weight", (hidden,)
    if not kind.is_tied:
        yield "lm_head.weight", (vocabulary, hidden)


def _attention(size: Dimensions, kind: Kind) -> Iterator[tuple[str, tuple[int, ...]]]:
    hidden, key_value_size = size.hidden_size, size.head_size * size.key_value_heads
    if kind.is_fused:
        yield "qkv_proj.weight", (hidden + 2 * key_value_size, hidden)
    else:
        for name, width in (("q", hidden), ("k", key_value_size), ("v", key_value_size)):
            yield f"{name}_proj.weight", (width, hidden)
            if kind.has_biases:
                yield f"{name}_proj.bias", (width,)
    yield "o_proj.weight", (hidden, hidden)


def _mlp(size: Dimensions, kind: Kind) -> Iterator[tuple[str, tuple[int, ...]]]:
    hidden, inner = size.hidden_size, size.intermediate_size
    if kind.is_fused:
        yield "gate_up_proj.weight", (2 * inner, hidden)
    else:
        yield "gate_proj.weight", (inner, hidden)
        yield "up_proj.weight", (inner, hidden)
    yield "down_proj.weight", (hidden, inner)
