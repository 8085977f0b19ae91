"""Keys and variables that nobody reads: none is passed over in silence, and one that was meant for us is refused."""

import json
from typing import Any

import pytest
import yaml

from components.settings import KEYS, SettingsError, read_settings
from components.settings.unread import stack_file_text, unread_errors, unread_warnings
from tests.unit.settings.test_settings import ENVIRONMENT, PROJECT, ROOT

SALT = "encryptionsalt: v1:abc=:v1:def\n"


def error_of(config: dict[str, Any], stack_file: str = "", project: str = PROJECT) -> str:
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}
    with pytest.raises(SettingsError) as caught:
        read_settings(texts, set(), ENVIRONMENT, project, stack_file)
    return str(caught.value)


def warnings_of(config: dict[str, str], environment: dict[str, str] = ENVIRONMENT, stack_file: str = "") -> list[str]:
    read_settings(config, set(), {**ENVIRONMENT, **environment}, PROJECT, stack_file)
    return unread_warnings(config, environment, PROJECT, KEYS, stack_file)


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("lambda-vlm:maxPricePerHour", "lambda-vllm:maxPricePerHour"),
        ("lambda_vllm:maxPricePerHour", "lambda-vllm:maxPricePerHour"),
        ("Lambda-vLLM:maxPricePerHour", "lambda-vllm:maxPricePerHour"),
        ("lambda-vlm:port", "lambda-vllm:port"),
        ("lambda-vlm:maxPricePrHour", "lambda-vllm:maxPricePerHour"),
        ("lambda:regions", "lambda-vllm:regions"),
        ("vllm:model", "lambda-vllm:model"),
        ("lambda-cloud:apiKey", "lambda-vllm:apiKey"),
        ("aws:maxPricePerHour", "lambda-vllm:maxPricePerHour"),
        ("pulumi:maxPricePerHour", "lambda-vllm:maxPricePerHour"),
        ("aws:max-price-per-hour", "lambda-vllm:maxPricePerHour"),
        ("aws:maxPricePerHur", "lambda-vllm:maxPricePerHour"),
    ],
)
def test_a_key_that_was_meant_for_us_is_refused_with_its_right_spelling(key: str, meant: str) -> None:
    error = error_of({key: "1"})
    assert error == f"{key}: nobody reads this key; did you mean {meant}?"


def test_a_key_in_a_namespace_like_ours_is_refused_also_when_there_is_none_like_it() -> None:
    error = error_of({"lambda-vlm:wholly": "1"})
    assert error.startswith("lambda-vlm:wholly: nobody reads this key; keys of this project begin with lambda-vllm:, ")
    assert "\n" not in error


def test_keys_of_the_name_that_the_project_had_before_are_refused() -> None:
    error = error_of({f"{PROJECT}:maxPricePerHour": "1"}, project="chat")
    assert error == f"{PROJECT}:maxPricePerHour: nobody reads this key; did you mean chat:maxPricePerHour?"


def test_no_value_of_a_key_that_nobody_reads_is_repeated() -> None:
    assert "geheim" not in error_of({"lambda-vlm:apiKey": "geheim", f"{PROJECT}:apiKeys": "geheim"})


def test_all_that_nobody_reads_is_told_at_once_beside_what_else_is_wrong() -> None:
    lines = error_of({"lambda-vlm:port": "1", "vllm:tls": "off", f"{PROJECT}:port": "0"}).splitlines()
    assert sorted(line.partition(": ")[0] for line in lines) == ["lambda-vllm:port", "lambda-vlm:port", "vllm:tls"]


@pytest.mark.parametrize("key", ["pulumi:tags", "pulumi:disable-default-providers", "command:version"])
def test_keys_that_pulumi_and_the_plugin_read_are_nothing_to_tell(key: str) -> None:
    assert warnings_of({key: "x"}) == []


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("aws:region", "; did you mean lambda-vllm:regions?"),
        ("datadog:apiKey", "; did you mean lambda-vllm:apiKey?"),
        ("postgresql:port", "; did you mean lambda-vllm:port?"),
        ("gcp:project", ""),
        ("snowflake:token", ""),
    ],
)
def test_a_key_of_somebody_else_whom_this_program_does_not_use_is_told_and_borne(key: str, meant: str) -> None:
    """It may come from an environment that several projects share."""
    assert warnings_of({key: "x"}) == [f"{key}: nothing in this program reads this key{meant}"]


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("maxpriceperhour", "did you mean maxPricePerHour?"),
        ("max_price_per_hour", "did you mean maxPricePerHour?"),
        ("MaxPricePerHour", "did you mean maxPricePerHour?"),
        ("maxPricePerHur", "did you mean maxPricePerHour?"),
        ("region", "did you mean regions?"),
        ("instanceType", "did you mean instanceTypes?"),
        (" port", "did you mean port?"),
        ("allowedCidrs[0]", "run `pulumi config set --path 'allowedCidrs[0]' VALUE`"),
        ("filesystem.name", "run `pulumi config set --path 'filesystem.name' VALUE`"),
    ],
)
def test_a_misspelt_key_of_ours_gets_the_nearest_one(key: str, meant: str) -> None:
    error = error_of({f"{PROJECT}:{key}": "1"})
    assert error == f"{PROJECT}:{key}: there is no such key; {meant}"


def test_keys_below_the_projects_name_are_told_how_they_are_written() -> None:
    error = error_of({f"{PROJECT}:{PROJECT}": {"maxPricePerHour": 1}})
    assert error == (
        "lambda-vllm:lambda-vllm: there is no such key; write each key in a line of its own, as "
        "lambda-vllm:maxPricePerHour"
    )


def test_a_misspelt_part_of_a_key_gets_the_nearest_one() -> None:
    error = error_of({f"{PROJECT}:filesystem": {"name": "weights", "retian": False}})
    assert error.startswith(f"{PROJECT}:filesystem: is not allowed: retian is no part of it, did you mean retain?")
    assert "\n" not in error


def test_keys_outside_of_config_are_refused_since_pulumi_drops_them_without_a_word() -> None:
    file = f'{SALT}config:\n  lambda-vllm:port: "8000"\nlambda-vllm:maxPricePerHour: "1"\n'
    error = error_of({f"{PROJECT}:port": "8000"}, file)
    assert error == (
        "lambda-vllm:maxPricePerHour: stands outside of `config:` in the stack file, where nobody reads it: "
        "indent it below that"
    )
    assert "maxPricePerHour: stands outside" in error_of({}, f"{SALT}maxPricePerHour: 1\n")


@pytest.mark.parametrize("word", ["confg", "Config", "configuration"])
def test_a_misspelt_config_is_refused(word: str) -> None:
    error = error_of({}, f"{SALT}{word}:\n  lambda-vllm:maxPricePerHour: 1\n")
    assert error == f"{word}: nobody reads this part of the stack file; did you mean config?"


def test_another_part_of_the_stack_file_that_nobody_reads_is_told() -> None:
    parts = "secretsprovider: passphrase\nenvironment: [dev]\nconfig: {}\n"
    assert warnings_of({}, stack_file=SALT + parts) == []
    assert warnings_of({}, stack_file=f"{SALT}owner: me\n") == ["owner: nobody reads this part of the stack file"]


def test_a_key_that_stands_there_twice_in_two_forms_is_refused() -> None:
    """Pulumi takes one of them without a word."""
    file = f"{SALT}config:\n  maxPricePerHour: 1\n  lambda-vllm:maxPricePerHour: 3\n"
    error = error_of({f"{PROJECT}:maxPricePerHour": "1"}, file)
    assert error == (
        "lambda-vllm:maxPricePerHour: stands in the stack file twice, with the project's name and without: take one out"
    )


def test_a_stack_file_that_is_not_the_one_in_use_is_left_alone() -> None:
    """With `--config-file` the configuration is another one."""
    assert warnings_of({f"{PROJECT}:port": "9000"}, stack_file="config:\n  lambda-vllm:tls: 'off'\nowner: me\n") == []
    assert warnings_of({}, stack_file="not: [yaml") == []


@pytest.mark.parametrize("stack", ["dev", "local"])
def test_of_the_projects_own_stack_files_all_is_read(stack: str) -> None:
    text = stack_file_text(ROOT, stack)
    written = yaml.safe_load(text)["config"]
    config = {key: value if isinstance(value, str) else json.dumps(value) for key, value in written.items()}
    assert warnings_of(config, stack_file=text) == []
    assert stack_file_text(ROOT, "of-nobody") == ""


@pytest.mark.parametrize(
    "variable", ["LAMBDA_APIKEY", "LAMBDA_CLOUD_API_KEY", "LAMBDALABS_API_KEY", "LAMBDA_KEY", "lambda_api_key"]
)
def test_a_key_in_another_variable_is_named_when_there_is_none(variable: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings({}, set(), {variable: "geheim"}, PROJECT)
    assert str(caught.value) == (
        "no Lambda API key: set LAMBDA_API_KEY, or run `pulumi config set --secret lambdaApiKey KEY`; "
        f"{variable} is set, and is not read"
    )


@pytest.mark.parametrize(
    "variable",
    [
        "HUGGING_FACE_HUB_TOKEN",
        "HUGGINGFACE_TOKEN",
        "HUGGINGFACEHUB_API_TOKEN",
        "HF_API_TOKEN",
        "HF_API_KEY",
        "hf_token",
    ],
)
def test_a_token_in_another_variable_is_named_when_there_is_none(variable: str) -> None:
    found = warnings_of({}, {"LAMBDA_API_KEY": "x", variable: "geheim"})
    assert found == [f"{variable} is set, and is not read: the token of the hub is HF_TOKEN"]
    assert warnings_of({}, {**ENVIRONMENT, variable: "geheim"}) == []
    assert warnings_of({}, {"LAMBDA_API_KEY": "x", "HF_TOKEN_PATH": "/a", "HF_HOME": "/b"}) == []


def test_a_variable_of_our_own_that_nobody_reads_is_told() -> None:
    ours = {"LAMBDA_VLLM_TRACEBACK": "1", "LAMBDA_CLOUD_TIMEOUT": "1", "LAMBDA_CLOUD_BASE_URL": "of another client"}
    assert warnings_of({}, {**ENVIRONMENT, **ours}) == []
    assert warnings_of({}, {**ENVIRONMENT, "LAMBDA_VLLM_PORT": "1", "LAMBDA_CLOUD_REQEST_INTERVAL": "1"}) == [
        "LAMBDA_CLOUD_REQEST_INTERVAL is set, and is not read; did you mean LAMBDA_CLOUD_REQUEST_INTERVAL?",
        "LAMBDA_VLLM_PORT is set, and is not read",
    ]


@pytest.mark.parametrize(
    ("variable", "meant"),
    [("VLLM_LOGING_LEVEL", "VLLM_LOGGING_LEVEL"), ("VLLM_LOGGINGLEVEL", "VLLM_LOGGING_LEVEL"),
     ("vllm_logging_level", "VLLM_LOGGING_LEVEL")],
)  # fmt: skip
def test_a_misspelt_variable_of_vllm_gets_the_nearest_one(variable: str, meant: str) -> None:
    error = error_of({f"{PROJECT}:vllmEnv": {variable: "DEBUG"}})
    assert error == f"{PROJECT}:vllmEnv: is not allowed: vLLM 0.32.0 does not read {variable}; did you mean {meant}?"


def test_variables_that_vllm_and_others_read_are_taken() -> None:
    """Those of older releases too: recipes are full of them, and their likes of today mean something else."""
    variables = {
        "VLLM_USE_FLASHINFER_MOE_FP8": 1,
        "VLLM_SKIP_DEEP_GEMM_WARMUP": 1,
        "VLLM_LOGGING_LEVEL": "DEBUG",
        "OMP_NUM_THREADS": 4,
        "VLLM_OF_A_PLUGIN": "x",
        "NCCL_DEBUG": "INFO",
    }
    read_settings({f"{PROJECT}:vllmEnv": json.dumps(variables)}, set(), ENVIRONMENT, PROJECT)


def test_a_date_that_there_is_not_is_left_to_pulumi_to_read() -> None:
    text = "config:\n  lambda-vllm:tags: {since: 2026-02-30}\n"
    assert list(unread_errors(["lambda-vllm:tags"], "lambda-vllm", {"tags"}, text)) == []


@pytest.mark.parametrize(
    "key",
    [
        *("aws-lambda:memory", "my-lambda:x", "lambda-functions:timeout", "network:allowedCidrs", "eks:instanceTypes"),
        *("proxmoxve:sshPort", "huggingface:hfToken"),
    ],
)
def test_a_key_of_another_program_is_told_and_borne(key: str) -> None:
    assert list(unread_errors([key], PROJECT, KEYS)) == []
    (line,) = unread_warnings([key], {}, PROJECT, KEYS)
    assert line.startswith(f"{key}: nothing in this program reads this key")


def test_a_sister_of_a_project_with_a_name_of_its_own_is_borne() -> None:
    assert list(unread_errors(["team-llm:x"], "team-llm2", KEYS)) == []
    assert list(unread_errors(["team-llm:maxPricePerHour"], "team-llm2", KEYS)) != []
