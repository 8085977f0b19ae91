"""Which versions of vLLM can be had, and which are refused by name."""

from components.settings import Settings
from components.vllm.release import quirks
from components.vllm.release.install import source_pins
from components.vllm.release.install.versions import GPU_TARGET, TARGETS

PINNED_VLLM = TARGETS[GPU_TARGET].vllm
"""The version for GPUs, which is what plans are for; a machine without one has that of the target `cpu`."""


def check_versions(settings: Settings) -> list[str]:
    """What speaks against the version, a line each. Pure; nothing is asked of anybody."""
    version = settings.vllm_version or PINNED_VLLM
    if version.startswith(quirks.OFFLOAD_IGNORED) and settings.cpu_offload_gb != 0:
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
    if version.startswith(quirks.WITHOUT_AUTO_CONTEXT) and settings.max_model_len == "auto":
        return [f"maxModelLen: vLLM {version} does not know auto: set a number of tokens"]
    return []


def drains(settings: Settings) -> bool:
    """Whether vLLM lets requests finish that are under way when it is stopped: by `--shutdown-timeout`."""
    versions = [settings.vllm_version] if settings.vllm_version else [pinned.vllm for pinned in TARGETS.values()]
    return not any(version.startswith(quirks.WITHOUT_SHUTDOWN_TIMEOUT) for version in versions)
