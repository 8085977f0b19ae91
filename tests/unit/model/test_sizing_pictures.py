"""What pictures cost: the trial run also encodes as many of them as fill a batch."""

from collections.abc import Mapping
from typing import Any

import pytest

from components.model.sizing.fit import ServeOptions, fit
from components.model.sizing.memory import GIB
from components.model.sizing.shape import shape_of
from tests.support.models.catalogue_sizes import LIKE_GH200
from tests.support.models.model_configs import checkpoint

GEMMA = "google/gemma-3-27b-it"
SIGLIP = {"hidden_size": 1152, "image_size": 896, "intermediate_size": 4304, "num_hidden_layers": 27, "patch_size": 14}
TOKENS = 8192
"""The batch that vLLM takes by itself on such a card, and so the budget of its encoder."""


def peak_gib(**config: Any) -> float:
    return fit(shape_of(checkpoint(GEMMA, **config)), LIKE_GH200, ServeOptions()).peak_activation_gib


def test_the_peak_may_be_in_the_vision_encoder() -> None:
    """32 pictures of 4096 patches, each of which has its two inner layers of the MLP in 16 bits."""
    peak = peak_gib(vision_config=SIGLIP, mm_tokens_per_image=256)
    inner = TOKENS // 256 * 4096 * 2 * 4304 * 2
    assert inner / GIB < peak < 1.5 * inner / GIB


@pytest.mark.parametrize(
    ("vision", "rest", "patches"),
    [
        ({"spatial_merge_size": 2}, {}, 4),
        ({}, {"downsample_ratio": 0.5}, 4),
        ({"pixel_shuffle_ratio": 0.5}, {}, 4),
        ({}, {"scale_factor": 4}, 16),
    ],
)
def test_patches_of_a_token_are_counted_however_a_model_merges_them(
    vision: Mapping[str, Any], rest: Mapping[str, Any], patches: int
) -> None:
    wide = {**SIGLIP, "intermediate_size": 40_000}
    one = peak_gib(vision_config=wide)
    merged = peak_gib(vision_config={**wide, **vision}, **rest)
    assert merged - one == pytest.approx((patches - 1) * TOKENS * 2 * (2 * 40_000 + 2 * 1152) / GIB, rel=0.01)


def test_what_pictures_are_encoded_to_lies_beside_the_text_that_follows() -> None:
    small = {**SIGLIP, "intermediate_size": 1152, "hidden_size": 288}
    assert peak_gib(vision_config=small) - peak_gib(vision_config=None) == pytest.approx(2 * TOKENS * 5376 / GIB)
