"""What the service runs for a setting, and what it says when it cannot."""

import json
from pathlib import Path

import pytest

from tests.support.gpu_machine import GpuMachine

SERVICE = "components.on_machine.service"
MIDDLEWARE = f"--middleware {SERVICE}.access_log.FailuresOnly --middleware {SERVICE}.guard.Guard"
RUN = """
import os, sys
from components.on_machine.service.generations import Generations
from components.on_machine.service.serve import check_command, command_and_environment
from components.on_machine.shared.paths import places
from components.on_machine.shared.work import run_work

def become() -> None:
    generation = Generations(places().home).get("key")
    command, environment = command_and_environment(generation, places())
    command = check_command(command, generation) if sys.argv[1:] else command
    os.execve(command[0], command, environment)

run_work(become)
"""
"""What the service does to start a server, and a swap to have a setting looked at."""
SAYS_ALL = (
    'printf "%s\\n" "$0 $*" "key file $LAMBDA_VLLM_API_KEYS" "flags $LAMBDA_VLLM_FLAGS" "offline $HF_HUB_OFFLINE" '
    '"own $OWN"'
)


@pytest.fixture
def machine(tmp_path: Path) -> GpuMachine:
    machine = GpuMachine(tmp_path)
    machine.accelerator("gh200-580")
    folder = machine.settings / "generations/key"
    (folder / "venv/bin").mkdir(parents=True)
    for program in ("vllm", "python"):
        (folder / "venv/bin" / program).write_text(f"#!/bin/bash\n{SAYS_ALL}\n")
        (folder / "venv/bin" / program).chmod(0o755)
    (folder / "vllm.yaml").write_text("{}")
    settle(folder, tls=False)
    (machine.base / "release/components/on_machine/serve_alone.py").write_text(RUN)
    return machine


def settle(folder: Path, *, tls: bool) -> None:
    """The setting of a generation."""
    (folder / "setting.json").write_text(json.dumps({"tls": tls, "environment": {"OWN": "it's $HOME; `ls`"}}))


def serve(machine: GpuMachine, *more: str) -> str:
    """All that it prints."""
    done = machine.run("serve_alone", *more)
    return done.stdout + done.stderr


def test_the_server_gets_its_setting_the_guard_and_the_users_variables(machine: GpuMachine) -> None:
    folder = machine.settings / "generations/key"
    first, *rest = serve(machine).splitlines()
    assert first == f"{folder}/venv/bin/vllm serve --config {folder}/vllm.yaml --host 0.0.0.0 {MIDDLEWARE}"
    flags = f"flags {folder}/vllm.yaml"
    assert rest == [f"key file {machine.settings}/api-keys", flags, "offline 1", "own it's $HOME; `ls`"]


def test_a_certificate_is_given_as_one_file_that_is_read_anew(machine: GpuMachine) -> None:
    settle(machine.settings / "generations/key", tls=True)
    pem = machine.settings / "tls.pem"
    assert f"--ssl-certfile {pem} --ssl-keyfile {pem} --enable-ssl-refresh\n" in serve(machine)


def test_the_same_flags_are_looked_at_before_they_are_served(machine: GpuMachine) -> None:
    looked, served = serve(machine, "check").splitlines()[0], serve(machine).splitlines()[0]
    assert looked.partition(" serve ")[2] == served.partition(" serve ")[2]
    assert looked.partition(" serve ")[0].endswith("/on_machine/service/check_config.py")


def test_without_a_gpu_the_flags_for_one_are_taken_back(machine: GpuMachine) -> None:
    (machine.bin / "nvidia-smi").unlink()
    assert "--tensor-parallel-size 1 --cpu-offload-gb 0\n" in serve(machine)


def test_a_gpu_that_does_not_answer_is_named(machine: GpuMachine) -> None:
    machine.play("nvidia-smi", "echo 'Failed to initialize NVML: Unknown Error'; exit 255")
    assert "finds no GPU: Failed to initialize NVML" in serve(machine)


def test_a_filesystem_that_is_not_there_is_named(machine: GpuMachine) -> None:
    (machine.settings / "cache").write_text("/nowhere/at/all/cache\n")
    assert "is the filesystem attached to this machine?" in serve(machine)


def test_compiled_programs_are_those_of_the_vllm_that_is_served(machine: GpuMachine, tmp_path: Path) -> None:
    (tmp_path / "nfs").mkdir()
    (machine.settings / "cache").write_text(f"{tmp_path}/nfs/cache\n")
    folder = machine.settings / "generations/key"
    (folder / "venv").rename(machine.base / "vllm-0.31.0-cuda-abc")
    (folder / "venv").symlink_to(machine.base / "vllm-0.31.0-cuda-abc")
    (folder / "venv/bin/vllm").write_text('#!/bin/bash\necho "$VLLM_CACHE_ROOT"\n')
    assert "/programs/vllm-0.31.0-" in serve(machine)
