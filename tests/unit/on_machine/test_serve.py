"""What the model server is started with."""

import json
from pathlib import Path
from typing import Any

import pytest

from components.on_machine.service.generations import Generation
from components.on_machine.service.serve import config_file, serve_command, server_environment
from components.on_machine.shared.accelerator import CPU, CUDA
from components.on_machine.shared.paths import ROOT, Places

FLAGS = {"model": "m", "port": 8000, "watchdog-config": {"timeout": 3}}


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path)


def generation(places: Places, **setting: Any) -> Generation:
    made = Generation("key", places.generations / "key")
    made.folder.mkdir(parents=True)
    (made.folder / "vllm.yaml").write_text(json.dumps(FLAGS))
    (made.folder / "setting.json").write_text(json.dumps({"tls": False, "environment": {}, **setting}))
    return made


@pytest.mark.parametrize("target", [CUDA, CPU])
def test_flags_that_every_target_takes_are_read_from_the_file_that_was_sent(places: Places, target: str) -> None:
    made = generation(places, unknown_on_cpu=[])
    assert config_file(made, target) == made.folder / "vllm.yaml"


def test_flags_that_the_release_for_cpus_does_not_take_are_left_out_there_and_nowhere_else(places: Places) -> None:
    made = generation(places, unknown_on_cpu=["watchdog-config"])
    assert config_file(made, CUDA) == made.folder / "vllm.yaml"
    command = serve_command(made, places, CPU, "0.0.0.0")
    read = json.loads(Path(command[command.index("--config") + 1]).read_text())
    assert read == {"model": "m", "port": 8000}
    assert json.loads((made.folder / "vllm.yaml").read_text()) == FLAGS


def test_a_users_home_and_path_are_the_servers_and_the_weights_are_found_all_the_same(places: Places) -> None:
    made = generation(places, environment={"HOME": "/elsewhere", "PATH": "/opt/bin"})
    variables = server_environment(made, places, CPU, {"HOME": str(places.home), "PATH": "/usr/bin", "LANG": "C"})
    assert (variables["HOME"], variables["PATH"], variables["LANG"]) == ("/elsewhere", "/opt/bin", "C")
    assert variables["HF_HOME"] == str(places.home / ".cache/huggingface")


def test_what_the_machine_says_of_its_cache_counts_where_no_filesystem_is_named(places: Places) -> None:
    variables = server_environment(generation(places), places, CPU, {"HF_HOME": "/data/hub"})
    assert variables["HF_HOME"] == "/data/hub"


def test_no_variable_of_a_user_moves_the_key_check(places: Places) -> None:
    given = {"PYTHONPATH": "/tmp", "LAMBDA_VLLM_API_KEYS": "/dev/null", "LAMBDA_VLLM_FLAGS": "/dev/null"}
    variables = server_environment(generation(places, environment=given), places, CPU, {})
    assert variables["PYTHONPATH"] == str(ROOT)
    assert variables["LAMBDA_VLLM_API_KEYS"] == str(places.api_keys)
    assert variables["LAMBDA_VLLM_FLAGS"] == str(places.generations / "key/vllm.yaml")
