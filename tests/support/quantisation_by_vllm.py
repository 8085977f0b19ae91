"""Asks vLLM itself which quantised weights it loads on which GPUs; run by a Python that has vLLM.

Standard input: a JSON object of names and what a config.json says of its quantisation. Standard output: for each name
vLLM's method, the capabilities (ten times major plus minor version) of the GPUs on which it takes the weights, and what
type it gives the KV cache when it is left to it. Only
vLLM's own functions decide: the capability is put in the place of the platform's, and the classes that would compile
kernels in the place of such that only know their name.
"""

import json
import sys
from importlib import import_module
from types import SimpleNamespace
from typing import Any

CAPABILITIES = (75, 80, 86, 90, 100)
LAYERS = "vllm.model_executor.layers.quantization"


def main() -> None:
    """Answer for them all."""
    asked = json.load(sys.stdin)
    schemes: Any = import_module(f"{LAYERS}.compressed_tensors.compressed_tensors")
    scheme: Any = import_module(f"{LAYERS}.compressed_tensors.schemes").CompressedTensorsScheme
    classes: dict[str, Any] = {name: one for name, one in vars(schemes).items() if isinstance(one, type)}
    for name, one in classes.items():
        if issubclass(one, scheme) and one is not scheme:
            setattr(schemes, name, _named(name, one.get_min_capability()))
    answer = {}
    for name, section in asked.items():
        method, section = _method(section)
        answer[name] = [method, [one for one in CAPABILITIES if _runs(method, section, one)], _cache(section)]
    json.dump(answer, sys.stdout)


def _named(name: str, least: int) -> type:
    def init(_self: Any, *_args: Any, **_words: Any) -> None:
        """Take what the scheme takes."""

    return type(name, (), {"__init__": init, "get_min_capability": classmethod(lambda _: least)})


def _method(section: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """As ModelConfig finds it: the normalised section, and the first class that claims it."""
    convertor = import_module("vllm.transformers_utils.model_arch_config_convertor").ModelArchConfigConvertorBase
    try:
        section = convertor._normalize_quantization_config(None, SimpleNamespace(quantization_config=section))
    except ValueError:
        return "", section
    package = import_module(LAYERS)
    for name in package.QUANTIZATION_METHODS:
        claims = package.get_quantization_config(name).override_quantization_method
        if claimed := claims(section, None, hf_config=SimpleNamespace(model_type="llama")):
            return claimed, section
    return section["quant_method"], section


def _cache(section: dict[str, Any]) -> str:
    """By ModelOpt's words, which are resolved before the model is built; by others' when its attention is."""
    named = import_module("vllm.utils.torch_utils").get_kv_cache_quant_algo_string(section)
    return str(named or ("fp8" if section.get("kv_cache_scheme") else "auto"))


def _runs(method: str, section: dict[str, Any], capability: int) -> bool:
    platform = import_module("vllm.platforms").current_platform
    found = import_module("vllm.platforms.interface").DeviceCapability(*divmod(capability, 10))
    type(platform).get_device_capability = classmethod(lambda *_, **__: found)
    try:
        config_class: Any = import_module(LAYERS).get_quantization_config(method)
        config = config_class.from_config(json.loads(json.dumps(section)))
        if method == "compressed-tensors":
            _compressed_tensors(config)
        if method == "quark":
            _, _, scheme = config._get_scheme_cls_from_config(section["global_quant_config"])
            config._check_scheme_supported(scheme.get_min_capability())
        if method == "inc":
            _inc(config, capability)
    except (DeprecationWarning, ImportError, NotImplementedError, RuntimeError, ValueError):
        return False
    return bool(capability >= config_class.get_min_capability())


def _compressed_tensors(config: Any) -> None:
    for parts in config.target_scheme_map.values():
        scheme = config._get_scheme_from_parts(
            parts["weights"], parts["input_activations"], parts["output_activations"], parts["format"]
        )
        config._check_scheme_supported(scheme.get_min_capability())


def _inc(config: Any, capability: int) -> None:
    if config.is_mxfp:
        name = "mxfp8" if config.is_mxfp8 else "mxfp4"
        module = import_module(f"{LAYERS}.inc.schemes.inc_{name}_linear")
        least = min(
            one.get_min_capability()
            for one in vars(module).values()
            if isinstance(one, type) and one.__module__ == module.__name__ and hasattr(one, "get_min_capability")
        )
        if capability < least:
            raise RuntimeError(capability)


if __name__ == "__main__":
    main()
