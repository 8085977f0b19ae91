"""Which versions of vLLM can be had, and which are refused by name."""

from components.settings import Settings
from components.vllm.release.install import source_pins
from components.vllm.release.install.versions import TARGETS

PINNED_VLLM = TARGETS["cuda13"].vllm
"""The version whose wheels are locked for every target."""

OFFLOAD_IGNORED = ("0.26.", "0.27.")
"""Releases whose default runner puts all weights on the GPU in spite of `--cpu-offload-gb` (measured with 0.26.0)."""

WITHOUT_AUTO_CONTEXT = ("0.6.",)
"""Releases that take no `auto` for the length of the context."""


def check_versions(settings: Settings) -> list[str]:
    """What speaks against the version, a line each. Pure; nothing is asked of anybody."""
    version = settings.vllm_version or PINNED_VLLM
    if version.startswith(OFFLOAD_IGNORED) and settings.cpu_offload_gb != 0:
        return [
            f"vllmVersion: vLLM {version} ignores --cpu-offload-gb in its default runner, and a model larger than the "
            f"GPU would not start: take {PINNED_VLLM}, or set cpuOffloadGb to 0"
        ]
    if settings.install == "wheel" and version != PINNED_VLLM:
        return [
            f"vllmVersion: {version} has no lock file; install: wheel has {PINNED_VLLM}, and others come with "
            "install: source"
        ]
    built = {pins.version: pins for pins in source_pins.PINS}
    allowed = [one for one, pins in built.items() if settings.install == "source" or pins.precompiled]
    if settings.install != "wheel" and version not in allowed:
        return [f"vllmVersion: {version} is not pinned for install: {settings.install}; {', '.join(allowed)} are"]
    if version.startswith(WITHOUT_AUTO_CONTEXT) and settings.max_model_len == "auto":
        return [f"maxModelLen: vLLM {version} does not know auto: set a number of tokens"]
    return []
