"""Caches of what is expensive to have again: on a filesystem that outlives the machine, where the settings name one.

Without one every tool keeps its own cache in the home directory.
"""

import os
import platform
from contextlib import suppress
from pathlib import Path

from components.on_machine.shared.accelerator import nvidia_smi
from components.on_machine.shared.paths import Places
from components.on_machine.shared.work import WorkError


def cache_root(places: Places) -> Path | None:
    """The folder that the settings name, made if it was missing; None without one. `WorkError` when it is not there."""
    named = places.cache.read_text().strip() if places.cache.exists() else ""
    if not named:
        return None
    root = Path(named)
    # Its parent is the mounted filesystem. Where that is missing, the machine's own disk must not be filled instead.
    if root.parent.is_dir():
        with suppress(OSError):
            root.mkdir(exist_ok=True)
        if os.access(root, os.W_OK):
            return root
    raise WorkError(
        f"the cache folder {root} is missing or cannot be written: is the filesystem attached to this machine?",
        "no-cache-folder",
    )


def cache_environment(places: Places, vllm_version: str) -> dict[str, str]:
    """Variables by which the tools and a vLLM of this version keep their caches there; none without a folder."""
    root = cache_root(places)
    if root is None:
        return {}
    capability = nvidia_smi("compute_cap")
    # Programs compiled by one vLLM for one kind of GPU are of no use to another.
    kind = f"vllm-{vllm_version}-{platform.machine()}-{capability[0] if capability else 'cpu'}"
    programs = root / "programs" / kind
    return {
        "HF_HOME": str(root / "huggingface"),
        "VLLM_CACHE_ROOT": str(programs / "vllm"),
        "TRITON_CACHE_DIR": str(programs / "triton"),
        "UV_CACHE_DIR": str(root / "uv"),
        "UV_PYTHON_CACHE_DIR": str(root / "uv-python"),
        # The environment lies on another disk than the cache, which no link can reach.
        "UV_LINK_MODE": "copy",
    }


def installed_vllm(venv: Path, default: str) -> str:
    """The version of vLLM in an environment, or a link to one, which is a part of its name; else `default`."""
    name = venv.resolve().name
    return name.removeprefix("vllm-").partition("-")[0] if name.startswith("vllm-") else default
