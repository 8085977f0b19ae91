"""The same model with another layout of its cache: what flags and variables make of windows and latents."""

from dataclasses import replace

from components.model.sizing.model_shape import ModelShape


def without_windows(shape: ModelShape) -> ModelShape:
    """With `disable-sliding-window`: no sequence is longer than a window, so that every layer keeps all of it."""
    if not shape.windowed_layers or shape.has_chunks:
        return shape
    shortest = min(shape.max_context, shape.sliding_window)
    served = min(shape.served_context, shortest)
    return replace(shape, max_context=shortest, default_context=served, windowed_layers=0, sliding_window=0)


def with_whole_windows(shape: ModelShape) -> ModelShape:
    """Without the hybrid cache manager: where some layers keep all tokens, all do."""
    return replace(shape, windowed_layers=0, has_chunks=False) if shape.full_layers else shape


def without_latent(shape: ModelShape) -> ModelShape:
    """With `VLLM_MLA_DISABLE`: the keys and values of all heads, the values as wide as the keys."""
    return replace(shape, latent_dim=0)
