"""What the model server of one setting is started with: its command line and its whole environment."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from components.on_machine.service.generations import Generation
from components.on_machine.shared.accelerator import CPU, accelerator
from components.on_machine.shared.caches import cache_environment, installed_vllm
from components.on_machine.shared.files import read_variables, replace_file
from components.on_machine.shared.paths import CONFIG, ROOT, Places
from components.vllm.release.install.versions import CPU_TARGET, GPU_TARGET, TARGETS
from components.vllm.release.service import names

MIDDLEWARE = ("access_log.FailuresOnly", "guard.Guard")
"""The last is the outermost."""
CHECK = Path(__file__).with_name("check_config.py")


def serve_command(generation: Generation, places: Places, target: str, bind_address: str) -> list[str]:
    """`vllm serve` with the flags of the setting; `target` is what the machine computes with."""
    flags = list(names.ON_CPU) if target == CPU else []
    if generation.has_tls:
        # One file for both, so that a new certificate and its key are there in one step.
        pem = str(places.certificate)
        flags += [names.CERTIFICATE, pem, names.CERTIFICATE_KEY, pem, names.CERTIFICATE_REFRESH]
    middleware = [word for name in MIDDLEWARE for word in (names.MIDDLEWARE, f"{__package__}.{name}")]
    config = str(config_file(generation, target))
    program = str(generation.venv / "bin/vllm")
    return [program, "serve", names.CONFIG, config, names.HOST, bind_address, *middleware, *flags]


def config_file(generation: Generation, target: str) -> Path:
    """The flags of the setting, as far as the release of vLLM takes them that is pinned for `target`."""
    left_out = generation.unknown_on_cpu if target == CPU else frozenset()
    if not left_out:
        return generation.folder / CONFIG
    file = generation.folder / "vllm-cpu.yaml"
    taken = {flag: value for flag, value in generation.config.items() if flag not in left_out}
    replace_file(file, json.dumps(taken))
    return file


def check_command(serve: list[str], generation: Generation) -> list[str]:
    """The same flags, read by vLLM's own parser, and its own code for the model's configuration; nothing is started."""
    return [str(generation.venv / "bin/python"), str(CHECK), *serve[1:]]


def server_environment(
    generation: Generation, places: Places, target: str, inherited: Mapping[str, str]
) -> dict[str, str]:
    """All variables of the server. The user's own win over what is only a default; `WorkError` without the caches."""
    version = installed_vllm(generation.venv, TARGETS[CPU_TARGET if target == CPU else GPU_TARGET].vllm)
    return {
        **inherited,
        # By name: without it the user's own HOME would decide where the server looks for the weights.
        "HF_HOME": inherited.get("HF_HOME") or str(places.hub_home),
        **cache_environment(places, version),
        **read_variables(places.cuda_environment),
        **(_cpu_environment() if target == CPU else {}),
        # The weights are on the disk, so the service neither needs the hub nor the token.
        "HF_HUB_OFFLINE": "1",
        **names.VARIABLES,
        **generation.environment,
        "PYTHONPATH": str(ROOT),
        "LAMBDA_VLLM_API_KEYS": str(places.api_keys),
        "LAMBDA_VLLM_FLAGS": str(generation.folder / CONFIG),
    }


def _cpu_environment() -> dict[str, str]:
    return {**names.CPU_VARIABLES, "OMP_NUM_THREADS": str(len(os.sched_getaffinity(0)))}


def command_and_environment(generation: Generation, places: Places) -> tuple[list[str], dict[str, str]]:
    """Both, on this machine. `WorkError` where its GPU does not answer, or the caches are not there."""
    target = accelerator()
    # Where several machines share one network stack, each has an address of its own to listen on.
    address = os.environ.get("BIND_ADDRESS", "0.0.0.0")  # noqa: S104 - the firewall decides who may reach it
    command = serve_command(generation, places, target, address)
    return command, server_environment(generation, places, target, os.environ)
