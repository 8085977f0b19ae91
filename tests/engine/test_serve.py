"""What serve.sh runs, and what it says when it cannot; the service puts both into the server's log."""

import json
from pathlib import Path

import pytest

from tests.support.gpu_machine import GpuMachine

MIDDLEWARE = "--middleware access_log.FailuresOnly --middleware guard.Guard"
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
    (folder / "server.env").write_text("OWN='of the user'\n")
    (folder / "setting.json").write_text(json.dumps({"tls": False}))
    return machine


def serve(machine: GpuMachine, *more: str) -> str:
    """All that it prints."""
    done = machine.run("serve.sh", str(machine.settings / "generations/key"), *more)
    return done.stdout + done.stderr


def test_the_server_gets_its_setting_the_guard_and_the_users_variables(machine: GpuMachine) -> None:
    folder = machine.settings / "generations/key"
    first, *rest = serve(machine).splitlines()
    assert first == f"{folder}/venv/bin/vllm serve --config {folder}/vllm.yaml --host 0.0.0.0 {MIDDLEWARE}"
    flags = f"flags {folder}/vllm.yaml"
    assert rest == [f"key file {machine.settings}/api-keys", flags, "offline 1", "own of the user"]


def test_a_certificate_is_given_as_one_file_that_is_read_anew(machine: GpuMachine) -> None:
    (machine.settings / "generations/key/setting.json").write_text(json.dumps({"tls": True}))
    pem = machine.settings / "tls.pem"
    assert f"--ssl-certfile {pem} --ssl-keyfile {pem} --enable-ssl-refresh\n" in serve(machine)


def test_the_same_flags_are_looked_at_before_they_are_served(machine: GpuMachine) -> None:
    looked, served = serve(machine, "check").splitlines()[0], serve(machine).splitlines()[0]
    assert looked.partition(" serve ")[2] == served.partition(" serve ")[2]
    assert looked.partition(" serve ")[0].endswith("venv/bin/python " + str(machine.base / "scripts/check_config.py"))


def test_a_service_from_before_there_were_generations_serves_on_until_it_is_replaced(machine: GpuMachine) -> None:
    folder = machine.settings / "generations/key"
    (machine.base / "venv").symlink_to(folder / "venv")
    for name in ("vllm.yaml", "server.env"):
        (folder / name).rename(machine.settings / name)
    done = machine.run("serve.sh")
    first, *rest = done.stdout.splitlines()
    program, config = machine.base / "venv/bin/vllm", machine.settings / "vllm.yaml"
    assert first == f"{program} serve --config {config} --host 0.0.0.0 {MIDDLEWARE}"
    assert rest[-1] == "own of the user"


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
