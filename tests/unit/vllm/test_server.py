"""What is written to the machine for the server."""

import io
import json
import shlex
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pulumi
import pytest
import yaml

from components.model.facts import ModelFacts
from components.on_machine.jobs.job import SUCCEEDED, Result
from components.on_machine.shared.secret_input import read_json
from components.settings.groups import EndpointSettings, InstallSettings, ModelSettings, ServingSettings
from components.vllm.decision import Decision
from components.vllm.programs import FOLDER, PINS, PROGRAMS, environment_key, work_key
from components.vllm.release.install.versions import CPU_TARGET, GPU_TARGET, PINNED, TARGETS, Versions
from components.vllm.server import (
    DRAIN_SECONDS,
    ModelServerArgs,
    Served,
    Setting,
    download_command,
    serve_command,
    server_config,
    swap_command,
    weights_key,
)
from components.vllm.stack import VllmStackArgs, install_command, install_key, ready_command
from components.vllm.versions import PINNED_VLLM

MODEL = "meta-llama/Llama-3.1-8B-Instruct"
FACTS = ModelFacts(MODEL, "c" * 40, 12, 16_000_000_000, ("original/*", "*.pth"), None)
ARGS = ModelServerArgs(
    ModelSettings.model_construct(model=MODEL, hf_token="hf_secret"),
    ServingSettings(),
    EndpointSettings(),
    facts=pulumi.Output.from_input(FACTS.to_json()),
    decision=pulumi.Output.from_input(Decision()),
    api_key="sk-secret",
    vllm_args={"max-num-seqs": 4, "enforce-eager": True},
)
PATIENT = ServingSettings.model_construct(start_timeout_minutes=1)
SOURCE = VllmStackArgs(InstallSettings(install="source"))


def config_of(args: ModelServerArgs = ARGS, facts: ModelFacts = FACTS, decision: Decision | None = None) -> Any:
    return yaml.safe_load(server_config(args, facts, decision or Decision()))


def test_the_server_gets_the_model_at_its_commit_under_its_own_name() -> None:
    config = config_of()
    assert (config["model"], config["revision"]) == (MODEL, "c" * 40)
    assert config["served-model-name"] == [MODEL]
    assert (config["max-num-seqs"], config["enforce-eager"]) == (4, True)
    assert not config.keys() & {"cpu-offload-gb", "tensor-parallel-size"}


def test_a_renamed_model_answers_to_the_name_that_was_asked_for_too() -> None:
    config = config_of(
        replace(ARGS, model=ModelSettings.model_construct(model="meta-llama/Meta-Llama-3.1-8B-Instruct"))
    )
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
        serve_command("hash", 60),
        download_command(FACTS, ARGS.model.hf_endpoint),
        install_command(VllmStackArgs()),
    ]
    assert "secret" not in server_config(ARGS, FACTS, Decision()) + "".join(commands)


def test_the_weights_are_fetched_again_for_another_commit_and_for_nothing_else() -> None:
    assert weights_key(replace(FACTS, commit="d" * 40)) != weights_key(FACTS)
    assert weights_key(replace(FACTS, download_bytes=1)) == weights_key(FACTS)


def test_patterns_reach_the_download_as_they_are_and_not_as_files_of_the_machine() -> None:
    assert shlex.split(download_command(FACTS, ARGS.model.hf_endpoint))[-2:] == ["original/*", "*.pth"]


def test_the_server_starts_anew_for_another_install_and_not_for_another_key_or_deadline() -> None:
    text = server_config(ARGS, FACTS, Decision())
    setting = Setting(text, {}, False, "one")
    assert setting.key == Setting(text, {}, False, "one").key
    others = [Setting(text, {"A": "1"}, False, "one"), Setting(text, {}, True, "one"), Setting(text, {}, False, "two")]
    assert len({setting.key, *(other.key for other in others)}) == 4
    assert server_config(replace(ARGS, api_key="sk-other", serving=PATIENT), FACTS, Decision()) == text


def test_the_server_starts_anew_when_a_file_that_a_flag_names_has_another_content() -> None:
    text = server_config(ARGS, FACTS, Decision())
    files = {"files/chat-template/a.jinja": "{{ x }}"}
    settings = [
        Setting(text, {}, False, "one"),
        Setting(text, {}, False, "one", files),
        Setting(text, {}, False, "one", {"files/chat-template/a.jinja": "{{ y }}"}),
        Setting(text, {}, False, "one", {"files/chat-template/b.jinja": "{{ x }}"}),
    ]
    assert len({one.key for one in settings}) == len(settings)
    assert Setting(text, {}, False, "one", dict(files)).key == settings[1].key
    sent = request_of(settings[1])["files"]
    assert sent["files/chat-template/a.jinja"] == "{{ x }}"


def request_of(setting: Setting) -> Any:
    """What the machine reads."""
    return read_json(io.BytesIO(setting.request(["sk-own", "sk-next", "sk-own"], 120, 60).encode()))


def test_what_runs_as_long_as_the_server_is_a_part_of_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    setting = Setting("{}", {}, False, "one")
    before = setting.key
    for package in ("install", "weights", "driver", "diagnose", "jobs", "shared", "tls"):
        with_a_comment(monkeypatch, f"{FOLDER}/{package}")
        assert setting.key == before, package
    with_a_comment(monkeypatch, f"{FOLDER}/service")
    assert setting.key != before


def with_a_comment(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """One more comment in each Python file of a package for the machine."""
    folder = f"{package}/"
    files = {
        path: text + b"# more\n" if path.startswith(folder) and path.endswith(".py") else text
        for path, text in PROGRAMS.files.items()
    }
    assert files != PROGRAMS.files
    monkeypatch.setitem(vars(PROGRAMS), "files", files)


WORK: dict[str, Callable[[], str]] = {
    "driver": lambda: work_key("driver"),
    "install": lambda: install_key(VllmStackArgs()),
    "weights": lambda: weights_key(FACTS),
    "service": lambda: Setting("{}", {}, False, "one").key,
    "tls": lambda: work_key("tls"),
    "what is installed": lambda: environment_key("wheel", PINNED),
}


@pytest.mark.parametrize(
    ("package", "redone"),
    [
        *((f"{FOLDER}/{name}", {name}) for name in ("driver", "install", "weights", "service", "tls")),
        *((f"{FOLDER}/{name}", set()) for name in ("jobs", "shared", "diagnose")),
        # What depends on a release of vLLM, as far as it is on the machine.
        *((f"{PINS}/{name}", {name}) for name in ("driver", "install", "service")),
        (f"{PINS}/diagnose", set()),
    ],
)
def test_a_comment_in_a_folder_has_its_own_work_done_again_and_no_other(
    package: str, redone: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One in `install` does not touch the server that runs, which is found by what is installed."""
    before = {name: key() for name, key in WORK.items()}
    with_a_comment(monkeypatch, package)
    assert {name for name, key in WORK.items() if key() != before[name]} == redone


def test_another_pin_installs_something_else_and_a_comment_beside_the_pins_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = environment_key("wheel", PINNED), environment_key("source", "0.19.1")
    pins = "components/vllm/release/install/"
    files = {
        path: text + b"# more\n" if path == f"{pins}versions.py" else text for path, text in PROGRAMS.files.items()
    }
    monkeypatch.setitem(vars(PROGRAMS), "files", files)
    assert (environment_key("wheel", PINNED), environment_key("source", "0.19.1")) == before
    lock = f"{pins}locks/cpu-x86_64.txt"
    monkeypatch.setitem(vars(PROGRAMS), "files", {**files, lock: files[lock] + b"six==1.17.0\n"})
    assert environment_key("wheel", PINNED) != before[0]
    assert environment_key("source", "0.19.1") == before[1]


def test_a_server_that_is_stopped_finishes_its_requests_unless_the_user_says_otherwise() -> None:
    assert config_of()["shutdown-timeout"] == DRAIN_SECONDS
    assert config_of(replace(ARGS, vllm_args={"shutdown-timeout": 0}))["shutdown-timeout"] == 0
    without = yaml.safe_load(server_config(replace(ARGS, drains=False), FACTS, Decision()))
    assert "shutdown-timeout" not in without


def test_a_setting_reaches_the_machine_whole() -> None:
    setting = Setting(server_config(ARGS, FACTS, Decision()), {"A": "it's $HOME"}, True, "one")
    sent = request_of(setting)
    assert (sent["key"], sent["environment_key"]) == (setting.key, "one")
    assert sent["files"]["vllm.yaml"] == setting.config
    settled = {"tls": True, "start_timeout_seconds": 60, "environment": {"A": "it's $HOME"}, "unknown_on_cpu": []}
    assert json.loads(sent["files"]["setting.json"]) == settled


def test_the_keys_begin_with_the_stacks_own_and_have_each_once() -> None:
    assert request_of(Setting("{}", {}, False, "one"))["api_keys"] == ["sk-own", "sk-next"]


def test_what_is_exported_is_what_the_machine_says() -> None:
    facts = {"model": "c/d", "scheme": "https", "port": 8000, "start_seconds": 34, "outage_seconds": 41}
    assert Served.of(Result("swap", "k", SUCCEEDED, 60, facts=facts).to_json()) == Served("c/d", "https", 8000, 34, 41)


def test_another_way_to_install_or_another_driver_is_installed_and_proven_anew() -> None:
    ways = [VllmStackArgs(), SOURCE, VllmStackArgs(InstallSettings(driver="upgrade"))]
    keys = [install_key(way) for way in ways]
    assert len(set(keys)) == len(keys)


def test_the_pinned_version_by_name_is_another_wish_only_where_a_target_has_another_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    named = VllmStackArgs(InstallSettings.model_construct(vllm_version=PINNED_VLLM))
    monkeypatch.setitem(TARGETS, CPU_TARGET, TARGETS[GPU_TARGET])
    assert install_key(named) == install_key(VllmStackArgs())
    monkeypatch.setitem(TARGETS, CPU_TARGET, Versions("0.0.1.of.a.test", "0"))
    assert install_key(named) != install_key(VllmStackArgs())


def test_commands_are_short_lines_since_a_failure_prints_them_whole() -> None:
    assert len(serve_command("h" * 16, 24 * 3600)) < 400
    assert len(ready_command(VllmStackArgs())) < 250
    assert "\n" not in swap_command("h" * 16, 60) + serve_command("h" * 16, 60)


def test_json_settings_are_yaml() -> None:
    text = server_config(ARGS, FACTS, Decision())
    assert yaml.safe_load(text) == json.loads(text)
