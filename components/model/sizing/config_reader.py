"""config.json of a transformers model, whose keys go by several names."""

from collections.abc import Mapping
from typing import Any

from components.model.sizing.model_shape import ShapeError

_NESTS = ("text_config", "llm_config", "language_config", "thinker_config")

# What transformers assumes of a kind whose configurations are written without it.
_ASSUMED: Mapping[str, Mapping[str, Any]] = {
    "gemma3_text": {
        "vocab_size": 262208,
        "head_dim": 256,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "max_position_embeddings": 131072,
        "sliding_window": 4096,
    },
    "falcon": {"max_position_embeddings": 2048},
    "phi3": {"original_max_position_embeddings": 4096},
}


class ConfigReader:
    """The part of a config.json that describes the decoder, with errors that name what is missing."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._top = config
        self._text = _text_config(config)

    def number(self, *names: str, default: int | None = None) -> int:
        """The first of these keys; without `default` one of them has to be there."""
        for name in names:
            value = self._text.get(name)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or value < 0 or value != int(value):
                raise ShapeError(f"config.json: {name} is {value!r}, not a whole number")
            return int(value)
        if default is None:
            raise ShapeError(f"config.json has no {' or '.join(names)}: models of this kind cannot be sized")
        return default

    def value(self, name: str) -> Any:
        """Any key of the decoder, None when it is absent."""
        return self._text.get(name)

    def section(self, name: str) -> Mapping[str, Any]:
        """A nested object, of the decoder or of the whole model; empty when it is absent."""
        found = self._text.get(name) or self._top.get(name) or {}
        return found if isinstance(found, Mapping) else {}

    @property
    def architecture(self) -> str:
        """Name of the class that vLLM looks up."""
        named = self._top.get("architectures")
        if not isinstance(named, list | tuple) or not named:
            raise ShapeError("config.json names no architecture: vLLM cannot tell how to load it")
        return str(named[0])

    @property
    def element_type(self) -> str:
        """What vLLM takes with `--dtype auto`: float32 models run in bfloat16."""
        keys = ("dtype", "torch_dtype")
        named = next((config[key] for config in (self._text, self._top) for key in keys if config.get(key)), "float32")
        element_type = str(named).removeprefix("torch.")
        return "bfloat16" if element_type == "float32" else element_type


def _text_config(config: Mapping[str, Any]) -> Mapping[str, Any]:
    for name in _NESTS:
        nested = config.get(name)
        if isinstance(nested, Mapping):
            return _text_config(nested)
    return {**_ASSUMED.get(str(config.get("model_type")), {}), **config}
