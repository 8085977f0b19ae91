"""What is written to the machine for the server."""

import json
import re

import yaml

from components.vllm.hub import ModelCommit
from components.vllm.server import ModelServerArgs, environment_file, server_config, start_command
from components.vllm.stack import FILES, FOLDER, job, parse_seconds

ARGS = ModelServerArgs(
    model=ModelCommit("meta-llama/Llama-3.1-8B-Instruct", "c" * 40),
    hub_url="https://huggingface.co",
    hf_token="hf_secret",
    api_key="sk-secret",
    vllm_args={"max-num-seqs": 4, "enforce-eager": True},
)


def test_the_server_gets_the_model_at_its_commit_under_its_own_name() -> None:
    config = yaml.safe_load(server_config(ARGS))
    assert (config["model"], config["revision"]) == (ARGS.model.model, "c" * 40)
    assert config["served-model-name"] == [ARGS.model.model]
    assert (config["max-num-seqs"], config["enforce-eager"]) == (4, True)
    assert "cpu-offload-gb" not in config


def test_no_secret_is_in_the_settings_or_in_a_command() -> None:
    text = server_config(ARGS) + start_command("hash", ARGS) + job("download", "key", 1, "download.sh", "a", "b")
    assert "secret" not in text


def test_users_variables_survive_the_shell_whatever_is_in_them() -> None:
    text = environment_file({"B": "it's $HOME; `ls`", "A": 1})
    assert text == "A=1\nB='it'\"'\"'s $HOME; `ls`'\n"


def test_commands_are_short_lines_since_a_failure_prints_them_whole() -> None:
    assert len(start_command("h" * 16, ARGS)) < 250
    assert "\n" not in start_command("h" * 16, ARGS)


def test_the_seconds_of_a_job_are_read_from_its_last_line() -> None:
    assert parse_seconds("target: cpu\ninstall: done in 34 s") == 34
    assert parse_seconds("download: done in 7 s, before this run\n") == 7
    assert parse_seconds("") is None


def test_every_script_that_the_machine_needs_is_sent_there() -> None:
    sent = {file.name for file in FILES}
    assert {file.name for file in FOLDER.iterdir() if file.suffix in {".sh", ".py", ".env"}} <= sent
    for file in FILES:
        for name in re.findall(r"scripts/([\w.]+\.(?:sh|py|env))", file.read_text()):
            assert name in sent, f"{file.name} calls {name}"


def test_json_settings_are_yaml() -> None:
    text = server_config(ARGS)
    assert yaml.safe_load(text) == json.loads(text)
