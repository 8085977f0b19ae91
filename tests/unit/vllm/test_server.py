"""What is written to the machine for the server."""

import json
import re
import shlex
from dataclasses import replace
from typing import Any

import pulumi
import pytest
import yaml

from components.model.facts import ModelFacts
from components.vllm.decision import Decision
from components.vllm.server import (
    DRAIN_SECONDS,
    SERVICE,
    ModelServerArgs,
    Report,
    Setting,
    download_command,
    environment_file,
    key_file,
    server_config,
    stage_command,
    swap_command,
    weights_key,
)
from components.vllm.stack import (
    FILES,
    FOLDER,
    VllmStackArgs,
    driver_command,
    install_command,
    install_key,
    parse_seconds,
)
from components.vllm.versions import PINNED_VLLM

MODEL = "meta-llama/Llama-3.1-8B-Instruct"
FACTS = ModelFacts(MODEL, "c" * 40, 12, 16_000_000_000, ("original/*", "*.pth"), None)
ARGS = ModelServerArgs(
    model=MODEL,
    facts=pulumi.Output.from_input(FACTS.to_json()),
    decision=pulumi.Output.from_input(Decision()),
    hub_url="https://huggingface.co",
    hf_token="hf_secret",
    api_key="sk-secret",
    vllm_args={"max-num-seqs": 4, "enforce-eager": True},
)


def config_of(args: ModelServerArgs = ARGS, facts: ModelFacts = FACTS, decision: Decision | None = None) -> Any:
    return yaml.safe_load(server_config(args, facts, decision or Decision()))


def test_the_server_gets_the_model_at_its_commit_under_its_own_name() -> None:
    config = config_of()
    assert (config["model"], config["revision"]) == (MODEL, "c" * 40)
    assert config["served-model-name"] == [MODEL]
    assert (config["max-num-seqs"], config["enforce-eager"]) == (4, True)
    assert not config.keys() & {"cpu-offload-gb", "tensor-parallel-size"}


def test_a_renamed_model_answers_to_the_name_that_was_asked_for_too() -> None:
    config = config_of(replace(ARGS, model="meta-llama/Meta-Llama-3.1-8B-Instruct"))
    assert config["model"] == MODEL
    assert config["served-model-name"] == ["meta-llama/Meta-Llama-3.1-8B-Instruct", MODEL]


@pytest.mark.parametrize(
    ("given", "more"), [("gpt-4o", ["gpt-4o"]), (["gpt-4o", MODEL, "mine"], ["gpt-4o", "mine"]), ([], [])]
)
def test_names_that_a_user_adds_come_after_the_models_own(given: object, more: list[str]) -> None:
    config = config_of(replace(ARGS, vllm_args={"served-model-name": given}))
    assert config["served-model-name"] == [MODEL, *more]


def test_what_the_plan_decided_for_the_machine_reaches_the_server_unless_the_user_says_otherwise() -> None:
    decision = Decision(cpu_offload_gb=52.5, tensor_parallel_size=8)
    config = config_of(decision=decision)
    assert (config["cpu-offload-gb"], config["tensor-parallel-size"]) == (52.5, 8)
    own = replace(ARGS, vllm_args={"tensor-parallel-size": 2})
    assert config_of(own, decision=decision)["tensor-parallel-size"] == 2


def test_no_secret_is_in_the_settings_or_in_a_command() -> None:
    commands = [
        swap_command("hash", 60),
        stage_command(),
        download_command(FACTS, ARGS.hub_url),
        install_command(VllmStackArgs()),
    ]
    assert "secret" not in server_config(ARGS, FACTS, Decision()) + "".join(commands)


def test_the_weights_are_fetched_again_for_another_commit_and_for_nothing_else() -> None:
    assert weights_key(replace(FACTS, commit="d" * 40)) != weights_key(FACTS)
    assert weights_key(replace(FACTS, download_bytes=1)) == weights_key(FACTS)


def test_patterns_reach_the_download_as_they_are_and_not_as_files_of_the_machine() -> None:
    assert shlex.split(download_command(FACTS, ARGS.hub_url))[-2:] == ["original/*", "*.pth"]


def test_the_server_starts_anew_for_another_install_and_not_for_another_key_or_deadline() -> None:
    text = server_config(ARGS, FACTS, Decision())
    setting = Setting(text, "", False, "one")
    assert setting.key == Setting(text, "", False, "one").key
    others = [Setting(text, "A=1\n", False, "one"), Setting(text, "", True, "one"), Setting(text, "", False, "two")]
    assert len({setting.key, *(other.key for other in others)}) == 4
    assert server_config(replace(ARGS, api_key="sk-other", start_timeout_seconds=1), FACTS, Decision()) == text


def test_the_server_starts_anew_when_a_file_that_a_flag_names_has_another_content() -> None:
    text = server_config(ARGS, FACTS, Decision())
    files = {"files/chat-template/a.jinja": "{{ x }}"}
    settings = [
        Setting(text, "", False, "one"),
        Setting(text, "", False, "one", files),
        Setting(text, "", False, "one", {"files/chat-template/a.jinja": "{{ y }}"}),
        Setting(text, "", False, "one", {"files/chat-template/b.jinja": "{{ x }}"}),
    ]
    assert len({one.key for one in settings}) == len(settings)
    assert Setting(text, "", False, "one", dict(files)).key == settings[1].key
    sent = json.loads(settings[1].stage_input(60))["files"]
    assert sent["files/chat-template/a.jinja"] == "{{ x }}"


def test_what_runs_as_long_as_the_server_is_a_part_of_its_key() -> None:
    imported = {"supervise.py"}
    for name in SERVICE:
        found = re.findall(r"^from \.(\w+) import", (FOLDER / name).read_text(), re.MULTILINE)
        imported |= {f"{module}.py" for module in found}
    # What explains a failure may be bettered without a new start.
    assert imported - {"explain.py", "ends.py"} <= set(SERVICE)


def test_a_server_that_is_stopped_finishes_its_requests_unless_the_user_says_otherwise() -> None:
    assert config_of()["shutdown-timeout"] == DRAIN_SECONDS
    assert config_of(replace(ARGS, vllm_args={"shutdown-timeout": 0}))["shutdown-timeout"] == 0
    without = yaml.safe_load(server_config(ARGS, FACTS, Decision(), drains=False))
    assert "shutdown-timeout" not in without


def test_a_setting_reaches_the_machine_whole() -> None:
    setting = Setting(server_config(ARGS, FACTS, Decision()), "A=1\n", True, "one")
    sent = json.loads(setting.stage_input(60))
    assert sent["key"] == setting.key
    assert sent["files"]["vllm.yaml"] == setting.config
    assert sent["files"]["server.env"] == "A=1\n"
    assert json.loads(sent["files"]["setting.json"]) == {"tls": True, "start_timeout_seconds": 60}
    # serve.sh, a shell script, looks for this text.
    assert '"tls": true' in sent["files"]["setting.json"]


def test_what_is_exported_is_what_the_machine_says() -> None:
    said = "stopping a/b\nserving c/d over https on port 8000\noutage: 41 s\nstart: done in 34 s\nswap: done in 60 s"
    assert Report.parse(said) == Report("c/d", "https", 8000, 34, 41)
    assert Report.parse("serving c/d over http on port 1\nswap: done in 1 s") == Report("c/d", "http", 1, None, None)
    with pytest.raises(ValueError, match="did not say what it serves"):
        Report.parse("swap: done in 1 s")


def test_another_way_to_install_or_another_driver_is_installed_and_proven_anew() -> None:
    ways = [VllmStackArgs(), VllmStackArgs(install="source"), VllmStackArgs(driver="upgrade")]
    keys = [install_key(way) for way in ways]
    assert len(set(keys)) == len(keys)
    assert install_key(VllmStackArgs(vllm_version=PINNED_VLLM)) == install_key(VllmStackArgs())


def test_users_variables_survive_the_shell_whatever_is_in_them() -> None:
    text = environment_file({"B": "it's $HOME; `ls`", "A": 1})
    assert text == "A=1\nB='it'\"'\"'s $HOME; `ls`'\n"


def test_commands_are_short_lines_since_a_failure_prints_them_whole() -> None:
    assert len(swap_command("h" * 16, 24 * 3600)) < 250
    assert len(driver_command(VllmStackArgs(), "verify")) < 250
    assert "\n" not in swap_command("h" * 16, 60) + stage_command()


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
    text = server_config(ARGS, FACTS, Decision())
    assert yaml.safe_load(text) == json.loads(text)


def test_the_key_file_begins_with_the_stacks_own_key_and_has_each_once() -> None:
    assert key_file("sk-own", ["sk-next", "sk-own"]) == "sk-own\nsk-next\n"
    assert key_file("sk-own", ()) == "sk-own\n"
