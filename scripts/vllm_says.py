"""What the installed vLLM makes of models, asked without weights, GPU or network: vllm_says.py < cases > answers

Run by a Python that has vLLM. Standard input: a JSON object of cases by name, each with `config` (a config.json) and
perhaps `flags` (of `vllm serve`, as `EngineArgs` names them), `env`, `layout` (false to leave out what lies below
`weights` and is slow) and `checkpoint` (true to ask for it). Standard output: for each an object with

    context       tokens that vLLM serves at most when nobody says how many
    longest       tokens that `--max-model-len` may be; null when there is no end
    refused       what vLLM says instead of all this, in one line
    weights       bytes of all parameters
    tables        bytes of the tables of positions
    kv            bytes that one sequence takes of the KV cache at most, for lengths up to `context`
    not_laid_out  why vLLM could not lay out the model here, when it could not: then these three are not there
    checkpoint    names and shapes of the tensors that transformers would save, `#` for the number of the layer

The cache is that of a GPU: groups of layers by the hybrid KV cache manager, which the build for CPUs does without,
blocks of 16 tokens, and two batches on their way.
"""

import contextlib
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

LENGTHS = (1024, 4096, 16384, 131072)
"""Tokens of a sequence."""
BATCHED_TOKENS = 8192
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_NO_USAGE_STATS": "1",
}
NO_END = 1 << 40


def main() -> None:
    """Ask for each case; what libraries print goes to standard error."""
    os.environ.update(ENVIRONMENT)
    cases: dict[str, dict[str, Any]] = json.load(sys.stdin)
    with contextlib.redirect_stdout(sys.stderr):
        _prepare()
        answers = {name: _answer(case) for name, case in cases.items()}
    json.dump(answers, sys.stdout)


def _prepare() -> None:
    """One process that is the whole group, and one import of a model's code where vLLM would start a process for it."""
    config, distributed = import_module("vllm.config"), import_module("vllm.distributed")
    blocks = [import_module("vllm.v1.attention.backend").MultipleOf(16)]
    backend = import_module("vllm.v1.attention.backends.cpu_attn").CPUAttentionBackend
    backend.get_supported_kernel_block_sizes = classmethod(lambda *_: blocks)
    registry: Any = import_module("vllm.model_executor.models.registry")
    registry._run_in_subprocess = lambda ask: ask()
    _know_nemotron_nas()
    with config.set_current_vllm_config(config.VllmConfig()):
        store = Path(tempfile.mkdtemp()) / "store"
        distributed.init_distributed_environment(1, 0, f"file://{store}", 0, "gloo")
        distributed.initialize_model_parallel(1, 1)


def _know_nemotron_nas() -> None:
    """The repositories of this kind bring the code of their configuration, in which blocks are objects."""
    transformers = import_module("transformers")

    class Keys(dict[str, Any]):
        def __getattr__(self, name: str) -> Any:
            if name not in self:
                raise AttributeError(name)
            return self[name]

    def begin(self: Any, block_configs: Any = (), **keys: Any) -> None:
        self.block_configs = [Keys({part: Keys(block[part]) for part in block}) for block in block_configs]
        transformers.LlamaConfig.__init__(self, **{key: value for key, value in keys.items() if value is not None})

    parts = {"model_type": "nemotron-nas", "__init__": begin}
    transformers.AutoConfig.register("nemotron-nas", type("NasConfig", (transformers.LlamaConfig,), parts))


def _answer(case: Mapping[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder, _environment(case.get("env", {})):
        (Path(folder) / "config.json").write_text(json.dumps(case["config"]))
        try:
            config = _engine_config(folder, case.get("flags", {}))
        except Exception as error:  # whatever vLLM refuses a configuration with
            return {"refused": _line(error).replace(folder, "the repository")}
        model = config.model_config
        answer = {"context": model.max_model_len, "longest": _longest(folder, case.get("flags", {}))}
        if case.get("checkpoint", False):
            # Before vLLM, which replaces parts of transformers where it runs a model with its code.
            answer |= _checkpoint(model.hf_config)
        if case.get("layout", True):
            answer |= _layout(config)
        return answer


@contextlib.contextmanager
def _environment(added: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(added)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _engine_config(folder: str, flags: Mapping[str, Any]) -> Any:
    arguments = import_module("vllm.engine.arg_utils").EngineArgs
    given = {"skip_tokenizer_init": True, "block_size": 16, "max_num_batched_tokens": BATCHED_TOKENS, **flags}
    config = arguments(model=folder, enforce_eager=True, **given).create_engine_config()
    config.cache_config.mamba_ssm_cache_dtype = flags.get("mamba_ssm_cache_dtype", "auto")
    config.scheduler_config.async_scheduling = True
    # The rule of `VllmConfig` on a GPU; the build for CPUs switches it off in any case.
    allowed = import_module("vllm.envs").VLLM_ALLOW_CHUNKED_LOCAL_ATTN_WITH_HYBRID_KV_CACHE
    config.scheduler_config.disable_hybrid_kv_cache_manager = flags.get("disable_hybrid_kv_cache_manager", False) or (
        config.model_config.attention_chunk_size is not None and not allowed
    )
    config.cache_config.kv_cache_layout = "LBNHC"
    return config


def _longest(folder: str, flags: Mapping[str, Any]) -> int | None:
    overrides = flags.get("hf_overrides", {})
    model = import_module("vllm.config").ModelConfig(model=folder, skip_tokenizer_init=True, hf_overrides=overrides)
    # Once it is made, a model whose windows are switched off has forgotten them.
    model.disable_sliding_window = flags.get("disable_sliding_window", False)

    def takes(length: int) -> bool:
        try:
            model.get_and_verify_max_len(length)
        except ValueError:
            return False
        return True

    if takes(NO_END):
        return None
    low, high = 1, NO_END
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if takes(middle) else (low, middle)
    return low


def _layout(config: Any) -> dict[str, Any]:
    current = import_module("vllm.config").set_current_vllm_config
    dtype = import_module("vllm.utils.torch_utils").set_default_torch_dtype
    # Tables are shared by all that ask for the same, also from one model to the next.
    import_module("vllm.model_executor.layers.rotary_embedding")._ROPE_DICT.clear()
    try:
        with current(config), dtype(config.model_config.dtype):
            with import_module("torch").device("meta"):
                model = import_module("vllm.model_executor.model_loader.utils").initialize_model(config)
            return {
                "weights": _bytes(model.named_parameters()),
                "tables": _bytes((n, b) for n, b in model.named_buffers() if n.endswith("cos_sin_cache")),
                "kv": _kv_bytes(config),
            }
    except Exception as error:  # the code of some models wants numbers where there are only shapes
        return {"not_laid_out": _line(error)}


def _bytes(tensors: Any) -> int:
    return sum({id(tensor): tensor.numel() * tensor.element_size() for _, tensor in tensors}.values())


def _kv_bytes(config: Any) -> dict[str, int]:
    kind = import_module("vllm.model_executor.layers.attention_layer_base").AttentionLayerBase
    cache = import_module("vllm.v1.core.kv_cache_utils")
    layers = import_module("vllm.config").get_layers_from_vllm_config(config, kind).items()
    own = {name: layer for name, layer in layers if not getattr(layer, "kv_sharing_target_layer_name", None)}
    specs = {name: spec for name, layer in own.items() if (spec := layer.get_kv_cache_spec(config))}
    context = config.model_config.max_model_len
    found = {}
    for length in sorted({min(length, context) for length in LENGTHS}):
        config.model_config.max_model_len = length
        groups = cache.get_kv_cache_groups(config, dict(specs))
        found[str(length)] = cache._max_memory_usage_bytes_from_groups(config, groups)
    return found


def _checkpoint(config: Any) -> dict[str, Any]:
    """Without the tied ones, as they are saved once."""
    torch, transformers = import_module("torch"), import_module("transformers")
    auto = f"AutoModelFor{'ImageTextToText' if hasattr(config, 'vision_config') else 'CausalLM'}"
    try:
        with torch.device("meta"):
            model = getattr(transformers, auto).from_config(config, dtype=torch.bfloat16)
    except Exception as error:
        return {"no_checkpoint": _line(error)}
    found: dict[str, dict[str, list[int]]] = {}
    for name, tensor in dict(model.named_parameters()).items():
        pattern, number = re.sub(r"((?:layers|h|blocks)\.)\d+\.", r"\1#.", name), re.search(r"\.(\d+)\.", name)
        place = found.setdefault(pattern, {}).setdefault(json.dumps(list(tensor.shape)), [])
        place.extend([int(number[1])] if number and "#" in pattern else [])
    return {"checkpoint": {p: [[json.loads(s), _ranges(n)] for s, n in of.items()] for p, of in found.items()}}


def _ranges(numbers: list[int]) -> str:
    text, begun = [], None
    for index, number in enumerate(numbers):
        begun = number if begun is None else begun
        if index + 1 == len(numbers) or numbers[index + 1] != number + 1:
            text.append(f"{begun}-{number}")
            begun = None
    return ",".join(text)


def _line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:250]


if __name__ == "__main__":
    main()
