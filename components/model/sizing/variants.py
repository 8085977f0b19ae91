"""The same model with other weights: what a quantised checkpoint of it would take."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from components.model.sizing.memory import GIB
from components.model.sizing.model_shape import LayerRun, ModelShape, WeightFormat

# Bits of a weight with its scales: FP8 has one for each row, INT4 one of 16 bits for each group of 128.
_BITS: Mapping[WeightFormat, float] = {"fp8": 8.0, "int4": 4 + 16 / 128}

# The kind that is common for each.
_SCHEMES: Mapping[WeightFormat, str] = {"fp8": "CompressedTensorsW8A16Fp8", "int4": "CompressedTensorsWNA16"}


@dataclass(frozen=True)
class Variant:
    """A kind of checkpoint, as one would search for it."""

    name: str
    shape: ModelShape

    def __str__(self) -> str:
        return f"{self.name} (about {self.shape.weights_bytes / GIB:.1f} GiB)"


def quantised(shape: ModelShape, weights: WeightFormat) -> ModelShape:
    """The shape with its decoder's matrices at 8 (`fp8`) or 4 (`int4`) bits; for a model at 16 bits."""
    share = _BITS[weights] / 16
    decoder = tuple(_shrunk(run, share) for run in shape.decoder)
    saved = shape.decoder_bytes - sum(run.nbytes for run in decoder)
    return replace(
        shape,
        quantisation="compressed-tensors",
        quantisation_schemes=(_SCHEMES[weights],),
        weight_format=weights,
        quantised_activations=weights == "fp8",
        weights_bytes=shape.weights_bytes - saved,
        decoder=decoder,
    )


def smaller_variants(shape: ModelShape) -> tuple[Variant, ...]:
    """Kinds of checkpoint that are smaller than this one; none when it is quantised already."""
    if shape.weight_format != "16-bit":
        return ()
    return (Variant("an FP8 checkpoint", quantised(shape, "fp8")), Variant("INT4", quantised(shape, "int4")))


def _shrunk(run: LayerRun, share: float) -> LayerRun:
    return LayerRun(
        run.layers,
        tuple(int(size * share) for size in run.parameters),
        int(run.expert_bytes * share),
        int(run.linear_bytes * share),
    )
