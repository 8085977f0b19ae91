"""The safetensors headers of the families, from the shapes that transformers saves."""

from collections.abc import Iterator, Mapping
from typing import Any

from components.model.hub.checkpoint import Checkpoint, TensorHeader


def checkpoint_of(name: str, config: Mapping[str, Any], shapes: Mapping[str, Any] | None) -> Checkpoint:
    """A repository of this config.json. `shapes` are `checkpoint` of `scripts/vllm_says.py`; without them its blocks
    are those of Llama."""
    tensors = dict(_of_blocks(config) if shapes is None else _written_out(shapes))
    return Checkpoint(name, "0" * 40, config, (), tensors)


def _written_out(shapes: Mapping[str, Any]) -> Iterator[tuple[str, TensorHeader]]:
    for pattern, variants in shapes.items():
        for shape, layers in variants:
            for layer in _numbers(layers) if layers else [None]:
                yield pattern.replace("#", str(layer)), TensorHeader("BF16", tuple(shape))


def _numbers(ranges: str) -> Iterator[int]:
    for part in ranges.split(","):
        first, last = part.split("-")
        yield from range(int(first), int(last) + 1)


def _of_blocks(config: Mapping[str, Any]) -> Iterator[tuple[str, TensorHeader]]:
    hidden, heads = config["hidden_size"], config["num_attention_heads"]
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        yield name, TensorHeader("BF16", (config["vocab_size"], hidden))
    yield "model.norm.weight", TensorHeader("BF16", (hidden,))
    for layer, block in enumerate(config["block_configs"]):
        prefix = f"model.layers.{layer}"
        if not block["attention"]["no_op"]:
            keys = hidden // block["attention"]["n_heads_in_group"]
            yield f"{prefix}.input_layernorm.weight", TensorHeader("BF16", (hidden,))
            for projection, width in (("q", hidden), ("k", keys), ("v", keys), ("o", hidden)):
                yield f"{prefix}.self_attn.{projection}_proj.weight", TensorHeader("BF16", (width, hidden))
        assert heads * 128 == hidden
        # In steps of 256, as the code of these repositories rounds it.
        inner = -(-int(2 * block["ffn"]["ffn_mult"] * hidden / 3) // 256) * 256
        yield f"{prefix}.post_attention_layernorm.weight", TensorHeader("BF16", (hidden,))
        for projection in ("gate", "up", "down"):
            yield f"{prefix}.mlp.{projection}_proj.weight", TensorHeader("BF16", (inner, hidden))
