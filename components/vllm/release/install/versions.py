"""The versions that are installed on a machine, by what it computes with; `versions.json` is the one place.

`python -m scripts.locks` makes the locks from them, `python -m scripts.vllm_release` all that follows from another
version. Runs on the machine too, with Python 3.10 or newer.
"""

import json
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
LOCKS = FOLDER / "locks"
_FILE = json.loads((FOLDER / "versions.json").read_text())


@dataclass(frozen=True)
class Versions:
    """What is installed on one kind of machine."""

    vllm: str
    torch: str


GPU_TARGET, CPU_TARGET = "cuda13", "cpu"
TARGETS: dict[str, Versions] = {name: Versions(**versions) for name, versions in _FILE["targets"].items()}
"""By target: `cpu`, or `cuda13` for GPUs. They may be at different versions."""
TOOLS: dict[str, str] = _FILE["tools"]
"""`python`, `uv` and `huggingface_hub`, the same on every machine."""


PINNED = "pinned"
"""In the place of a version of vLLM: the one that is pinned for what the machine computes with."""


def version_on_gpu(wanted: str) -> str:
    """The version that a machine with a GPU gets for such a wish."""
    return TARGETS[GPU_TARGET].vllm if wanted == PINNED else wanted


def lock_file(target: str, architecture: str) -> Path:
    """The packages of a target, each with its hashes, for `aarch64` or `x86_64`."""
    return LOCKS / f"{target}-{architecture}.txt"
