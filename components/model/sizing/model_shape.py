"""The shape of a model: what its size in memory and its speed depend on, and nothing else."""

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any, Literal

WeightFormat = Literal["16-bit", "fp8", "mxfp8", "int8", "int4", "nvfp4", "mxfp4"]
"""How most of the weights are stored; the embedding and the head stay at 16 bits in nearly every checkpoint."""


class ShapeError(Exception):
    """The checkpoint does not say enough, or is of a kind that cannot be sized; one line."""


@dataclass(frozen=True)
class LayerRun:
    """Decoder layers in a row that hold the same parameters."""

    layers: int
    parameters: tuple[int, ...]
    """Bytes of each parameter of one layer as vLLM holds them: q, k and v in one, gate and up in one, all experts in
    one. In vLLM's order, which is the order of offloading."""
    expert_bytes: int = 0
    """Bytes of one layer that belong to routed experts."""
    linear_bytes: int = 0
    """Bytes of one layer in matrices that every token passes: attention and the MLP that is not routed."""

    @property
    def nbytes(self) -> int:
        """Bytes of all layers of the run."""
        return self.layers * sum(self.parameters)


@dataclass(frozen=True)
class ModelShape:
    """What sizing needs of a model. Bytes are as loaded, over all GPUs."""

    architecture: str
    element_type: str
    """Of activations and unquantised weights: `bfloat16`, `float16`; a float32 checkpoint is loaded as bfloat16."""
    quantisation: str | None
    """vLLM's name of the method: `fp8`, `auto_awq`, `auto_gptq`, `compressed-tensors`, `modelopt_fp4`, …"""
    weight_format: WeightFormat
    quantised_activations: bool
    """True when matrices are multiplied in 8 bits or fewer where the GPU can."""
    quantisation_block: int
    """Rows that share a scale, which no GPU may split; 1 when there is no such rule."""
    weights_bytes: int
    decoder: tuple[LayerRun, ...]
    """The only weights that vLLM offloads."""
    layers: int
    hidden_size: int
    intermediate_size: int
    """Of the MLP that every token passes; 0 when all are routed."""
    expert_intermediate_size: int
    experts: int
    """Routed experts of a layer, 0 for a dense model."""
    experts_per_token: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    max_context: int
    """Tokens of the longest sequence that `--max-model-len` may ask for."""
    rotary_dim: int
    sliding_window: int
    """Tokens that a windowed layer looks back, or of a chunk; 0 without such layers."""
    windowed_layers: int
    latent_dim: int
    """Latent attention (MLA): elements that a layer keeps of a token, `kv_lora_rank + qk_rope_head_dim`; 0 without."""
    value_head_dim: int
    """Of the attention's output; `head_dim` unless the attention is latent."""
    state_layers: int
    """Layers with linear attention: they keep a state of fixed size for a sequence, and nothing for a token."""
    state_bytes: int
    """Of one such layer and one sequence."""
    encoder_token_bytes: int = 0
    """What a vision encoder needs while it works, for each token that the decoder gets of it."""
    cache_dtype: str = "auto"
    """What `--kv-cache-dtype auto` comes to: `fp8` where the checkpoint was made for it."""
    quantisation_schemes: tuple[str, ...] = ()
    """vLLM's classes for its ways of multiplying, where the method has several; on them depends which GPUs will do."""
    default_context: int = 0
    """Tokens of the longest sequence when nobody says how many; 0 stands for `max_context`."""
    position_rows: int = 0
    """Of the tables of positions, each as wide as `rotary_dim`; 0 stands for `max_context`."""
    has_chunks: bool = False
    """True when the windowed layers look back to the beginning of a chunk."""
    idle_layers: int = 0
    """Layers without attention, which keep nothing."""
    kv_heads_by_layer: tuple[int, ...] = ()
    """Of each layer with full attention, where they differ; `kv_heads` is the largest then."""
    source: str = ""
    """`config.json` that attention and context were read from, as JSON, so that overrides can be applied later."""

    @property
    def decoder_bytes(self) -> int:
        """Bytes of all decoder layers."""
        return sum(run.nbytes for run in self.decoder)

    @property
    def expert_bytes(self) -> int:
        """Bytes of all routed experts."""
        return sum(run.layers * run.expert_bytes for run in self.decoder)

    @property
    def full_layers(self) -> int:
        """Layers that keep keys and values of every token."""
        return self.layers - self.windowed_layers - self.state_layers - self.idle_layers

    @property
    def served_context(self) -> int:
        """Tokens of the longest sequence that vLLM serves of its own accord."""
        return self.default_context or self.max_context

    @property
    def active_share(self) -> float:
        """Share of the experts that one token passes; 1 for a dense model."""
        return self.experts_per_token / self.experts if self.experts else 1.0

    def to_json(self) -> dict[str, Any]:
        """As plain data, for a state file."""
        data = asdict(self)
        data["decoder"] = [{**run, "parameters": list(run["parameters"])} for run in data["decoder"]]
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "ModelShape":
        """Read back what `to_json` gave; numbers may have become floats. `ShapeError` when it is something else.

        An older version of this program has written fewer fields; those have a default.
        """
        try:
            values = {
                field.name: _as_typed(data[field.name])
                for field in fields(cls)
                if field.name != "decoder" and (field.name in data or field.default is MISSING)
            }
            runs = tuple(
                LayerRun(
                    int(run["layers"]),
                    tuple(int(size) for size in run["parameters"]),
                    int(run["expert_bytes"]),
                    int(run["linear_bytes"]),
                )
                for run in data["decoder"]
            )
            return cls(decoder=runs, **values)
        except (KeyError, TypeError, ValueError) as error:
            raise ShapeError(f"the stored shape of the model cannot be read ({error!r}): ask for it anew") from None


def _as_typed(value: Any) -> Any:
    """State files know one kind of number; every number of a shape is whole."""
    if isinstance(value, list):
        return tuple(_as_typed(item) for item in value)
    return int(value) if isinstance(value, float) else value
