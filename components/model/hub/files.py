"""Which files of a repository are downloaded, and which of them hold the weights."""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

NEVER_READ = (
    "original/*",  # the authors' own checkpoint, in Meta's and OpenAI's repositories
    "metal/*",  # the same for Apple's GPUs
    "*.gguf",
    "*.pth",
    "*.h5",
    "*.msgpack",
    "*.ot",
    "*.onnx",
    "*.onnx_data",
    "*.tflite",
    "*.nemo",
)
"""Weights in forms that vLLM 0.32 does not read."""
PICKLED = ("*.bin", "*.pt")
"""Weights in PyTorch's own form; vLLM reads them when there are no safetensors."""
CONSOLIDATED = ("consolidated*", "params.json")
"""The same weights once more in Mistral's own form; vLLM would prefer it, with parsers of its own, if it were there."""
CONFIG = "config.json"
INDEX = "model.safetensors.index.json"
ADAPTER_CONFIG = "adapter_config.json"


def download_excludes(paths: Iterable[str]) -> tuple[str, ...]:
    """Patterns for `hf download --exclude`, from the paths of a repository or of those in `Checkpoint.files`."""
    shards = [path for path in paths if _is_shard(path)]
    if not shards:
        return NEVER_READ
    if all(fnmatchcase(path, CONSOLIDATED[0]) for path in shards):
        return NEVER_READ + PICKLED
    return NEVER_READ + PICKLED + CONSOLIDATED


def is_downloaded(path: str, excludes: Sequence[str]) -> bool:
    """Whether `hf download` takes the file; a `*` matches a slash as well, as it does there."""
    return not any(fnmatchcase(path, pattern) for pattern in excludes)


def shards_of(paths: Iterable[str]) -> tuple[str, ...]:
    """The safetensors files that vLLM reads when the repository has no index: all beside `config.json`."""
    return tuple(sorted(path for path in paths if _is_shard(path)))


def what_is_there(paths: Sequence[str]) -> str:
    """For a repository without weights that vLLM reads: what there is instead and what to do, without a full stop."""
    if any(path.endswith(".gguf") for path in paths):
        return "holds GGUF files only, which vLLM 0.32 does not read: set `model` to the repository they were made from"
    if ADAPTER_CONFIG in paths:
        return "is an adapter (LoRA), not a model: set `model` to the model that it adapts"
    kinds = sorted(
        {suffix for path in paths for suffix in (".pth", ".onnx", ".h5", ".msgpack") if path.endswith(suffix)}
    )
    if kinds:
        return (
            f"has its weights as {', '.join(kinds)} only, which vLLM does not read: choose one with safetensors files"
        )
    return "has no weights: choose a repository with safetensors files"


def has_pickled_weights(paths: Iterable[str]) -> bool:
    """Whether there are weights in PyTorch's own form beside `config.json`."""
    not_weights = ("training_args.bin", "optimizer.bin", "optimizer.pt", "scheduler.pt", "scaler.pt")
    return any(
        "/" not in path and path not in not_weights and any(fnmatchcase(path, pattern) for pattern in PICKLED)
        for path in paths
    )


def _is_shard(path: str) -> bool:
    return path.endswith(".safetensors") and "/" not in path and not path.startswith("adapter_")
