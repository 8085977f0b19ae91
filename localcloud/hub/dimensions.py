"""The sizes of a Llama, and the tensors that follow from them."""

from collections.abc import Iterator
from dataclasses import dataclass


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


def shapes(size: Dimensions, vocabulary: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Every tensor by its name in the Llama of transformers, in the order of the layers."""
    hidden, inner = size.hidden_size, size.intermediate_size
    key_value_size = size.head_size * size.key_value_heads
    yield "model.embed_tokens.weight", (vocabulary, hidden)
    for layer in range(size.layers):
        prefix = f"model.layers.{layer}"
        yield f"{prefix}.input_layernorm.weight", (hidden,)
        yield f"{prefix}.self_attn.q_proj.weight", (hidden, hidden)
        yield f"{prefix}.self_attn.k_proj.weight", (key_value_size, hidden)
        yield f"{prefix}.self_attn.v_proj.weight", (key_value_size, hidden)
        yield f"{prefix}.self_attn.o_proj.weight", (hidden, hidden)
        yield f"{prefix}.post_attention_layernorm.weight", (hidden,)
        yield f"{prefix}.mlp.gate_proj.weight", (inner, hidden)
        yield f"{prefix}.mlp.up_proj.weight", (inner, hidden)
        yield f"{prefix}.mlp.down_proj.weight", (hidden, inner)
    yield "model.norm.weight", (hidden,)
    yield "lm_head.weight", (vocabulary, hidden)
