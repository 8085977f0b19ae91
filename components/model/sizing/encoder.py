"""The vision encoder of a multimodal model, as far as it takes memory while it works.

vLLM's trial run encodes as many pictures of the largest size as fill its budget, which is a batch of tokens. The
structure is that of 0.32's source; it was not measured.
"""

from collections.abc import Mapping
from typing import Any


def encoder_token_bytes(config: Mapping[str, Any]) -> int:
    """Bytes at the encoder's widest place, for each token that the decoder gets of it; 0 without an encoder.

    That place is its MLP: each patch has the inner layer before and after the activation, and the residual stream with
    what is added to it, all in 16 bits.
    """
    vision = config.get("vision_config")
    if not isinstance(vision, Mapping):
        return 0
    hidden = _number(vision, "embed_dim", "hidden_size", "width")
    inner = _number(vision, "intermediate_size") or hidden * (_number(vision, "mlp_ratio") or 4)
    return round(_patches_of_a_token(config, vision) * 2 * (2 * inner + 2 * hidden))


def _patches_of_a_token(config: Mapping[str, Any], vision: Mapping[str, Any]) -> float:
    """How many patches become one token, by the words that the families have for it."""
    for place in (vision, config):
        if merged := _number(place, "spatial_merge_size", "scale_factor"):
            return merged**2
        if ratio := _number(place, "downsample_ratio", "pixel_shuffle_ratio"):
            return 1 / ratio**2
    picture, patch = _number(vision, "image_size"), _number(vision, "patch_size")
    tokens = _number(config, "mm_tokens_per_image")
    return (picture / patch) ** 2 / tokens if picture and patch and tokens else 1


def _number(place: Mapping[str, Any], *names: str) -> float:
    """The first of these keys that is a number above 0; else 0."""
    values = (place.get(name) for name in names)
    found = (value for value in values if isinstance(value, int | float) and not isinstance(value, bool) and value > 0)
    return next(found, 0)
