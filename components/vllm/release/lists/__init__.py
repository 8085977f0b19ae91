"""What the pinned releases of vLLM say of themselves, a folder for each version: `python -m scripts.vllm_release`.

Targets at the same version share a folder. Nothing in them is written by hand.

    serve.json          flags of `vllm serve`, as its own parser has them
    release.json        variables that it reads, and chat templates that it brings
    architectures.json  what it serves
    model_types.json    which config.json it reads
    quantisation.json   which quantised weights it loads, and on which GPUs
    paths.json          paths of its HTTP API, each with its methods
    texts.json          which marks and which failures of ours its source has
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from components.vllm.release.install.versions import CPU_TARGET, GPU_TARGET, TARGETS

__all__ = ["CPU_TARGET", "GPU_TARGET", "generated", "of_version"]

FOLDER = Path(__file__).parent


def generated(name: str, target: str) -> Mapping[str, Any]:
    """The list `NAME.json` of the release that a target is pinned to."""
    return of_version(name, TARGETS[target].vllm)


@cache
def of_version(name: str, version: str) -> Mapping[str, Any]:
    """The same of a version; `OSError` when there are no lists of it."""
    found: Mapping[str, Any] = json.loads((FOLDER / version / f"{name}.json").read_text())
    return found
