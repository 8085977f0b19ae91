"""The stack's configuration as users write it, and what they read when it is wrong."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.settings import Settings, SettingsError, read_settings
from components.settings.settings import SECRETS

PROJECT = "lambda-vllm"
ENVIRONMENT = {"LAMBDA_API_KEY": "secret_key_of_the_account", "HF_TOKEN": "hf_token_of_the_user"}
ROOT = Path(__file__).parents[3]


def read(environment: dict[str, str] = ENVIRONMENT, **config: Any) -> Settings:
    """Settings from keys as the stack file has them; the engine hands every value over as text."""
    texts = {f"{PROJECT}:{k}": v if isinstance(v, str) else json.dumps(v) for k, v in config.items()}
    return read_settings(texts, {f"{PROJECT}:{secret}" for secret in SECRETS}, environment, PROJECT)


def error_of(**config: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        read(**config)
    return str(caught.value)


def test_a_stack_without_any_key_serves_llama_8b_on_a_gh200_closed_to_the_world() -> None:
    settings = read()
    assert settings.model == "meta-llama/Llama-3.1-8B-Instruct"
    assert (settings.instance_types, settings.regions) == (["gpu_1x_gh200"], ["us-east-3"])
    assert settings.allowed_cidrs == []
    assert settings.image == ("lambda-stack-24-04", None)


def test_the_two_account_secrets_come_from_the_stack_or_from_the_environment() -> None:
    assert read().lambda_api_key == ENVIRONMENT["LAMBDA_API_KEY"]
    configured = read(lambdaApiKey="secret_other", hfToken="hf_other")
    assert (configured.lambda_api_key, configured.hf_token) == ("secret_other", "hf_other")


def test_a_secret_that_looks_like_a_number_stays_text() -> None:
    assert read(apiKey="1234567890123456").api_key == "1234567890123456"


def test_values_arrive_in_the_units_of_the_api() -> None:
    settings = read(maxPricePerHour=2.495, allowedCidrs=["203.0.113.7"], imageId="abc")
    assert settings.max_price_cents_per_hour in (249, 250)
    assert settings.allowed_cidrs == ["203.0.113.7/32"]
    assert settings.image == (None, "abc")


def test_the_endpoint_speaks_tls_unless_somebody_asks_for_less() -> None:
    assert read().tls == "own-ca"
    assert read(tls="off").tls == "off"
    for wrong in ("on", "letsencrypt", "true", ""):
        assert f"{PROJECT}:tls:" in error_of(tls=wrong)
        assert "is not allowed: own-ca" in error_of(tls=wrong)


def test_without_a_lambda_key_the_line_says_where_to_set_it() -> None:
    with pytest.raises(SettingsError) as caught:
        read(environment={})
    assert str(caught.value) == (
        "no Lambda API key: set LAMBDA_API_KEY, or run `pulumi config set --secret lambdaApiKey KEY`"
    )


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("allowedCidrs", ["10.0.0/8"], "'10.0.0/8' is not an IPv4 network"),
        ("allowedCidrs", ["::/0"], "'::/0' is not an IPv4 network"),
        ("allowedCidrs", ["203.0.113.7/24"], "write 203.0.113.7/32 for that address, or 203.0.113.0/24 for its whole"),
        ("allowedCidrs", ["203.0.113.7/255.255.255.0"], "write 203.0.113.7/32 for that address, or 203.0.113.0/24"),
        ("allowedCidrs", ["203.0.113.7/0"], "write 203.0.113.7/32 for that address, or 0.0.0.0/0 for its whole"),
        ("model", "llama", "an owner and a repository"),
        ("model", "../..", "an owner and a repository"),
        ("port", 80, "greater than or equal to 1024"),
        ("port", True, "valid integer"),
        ("instanceTypes", [], "at least 1 item"),
        ("regions", "us-east-3", "valid list"),
        ("port", 70000, "less than or equal to 65535"),
        ("maxPricePerHour", 0, "greater than or equal to 0.01"),
        ("bootTimeoutMinutes", -1, "greater than 0"),
        ("maxModelLen", "long", "auto, or a number of tokens"),
        ("tags", {"Upper": "x"}, "keys of 2 to 55 characters"),
        ("tags", {"lambda-vllm-launch": "x"}, "lambda-vllm-launch is reserved"),
        ("tags", {"lambda-ai-x": "x"}, "lambda-ai-x is reserved"),
        ("vllmArgs", {"--seed": 1}, "without the leading --"),
        ("vllmEnv", {"2BAD": "x"}, "names and values"),
        ("apiUrl", "cloud.lambda.ai", "a URL without a password, such as"),
        ("maxPricePerHour", "Infinity", "finite number"),
        ("maxPricePerHour", "NaN", "finite number"),
        ("maxPricePerHour", 1e308, "less than or equal to 100000"),
        ("maxPricePerHour", 0.001, "greater than or equal to 0.01"),
        ("cpuOffloadGb", 1e308, "auto, or a number of GiB"),
        ("cpuOffloadGb", "Infinity", "auto, or a number of GiB"),
        ("instanceTypes", ["gpu_1x_a10", "gpu_1x_gh200", "gpu_1x_a10"], "gpu_1x_a10 is there twice: name each once"),
        ("regions", ["us-east-3", "us-east-3"], "us-east-3 is there twice: name each once"),
        ("cpuOffloadGb", "much", "auto, or a number of GiB"),
        ("vllmVersion", "latest", "a version such as 0.32.0"),
        ("driver", "newest", "'auto', 'compat', 'upgrade' or 'keep'"),
        ("install", "docker", "'wheel', 'source' or 'precompiled'"),
        ("filesystem", {"nam": "weights"}, "an object such as {name: weights, retain: true}"),
    ],
)
def test_a_wrong_value_is_one_line_with_key_value_and_what_is_allowed(key: str, value: Any, told: str) -> None:
    error = error_of(**{key: value})
    assert error.startswith(f"{PROJECT}:{key}:")
    assert told in error
    assert "\n" not in error


def test_every_wrong_key_is_reported_at_once() -> None:
    lines = error_of(port=0, model="llama", allowedCidrs=["nowhere"]).splitlines()
    assert sorted(line.split(":")[1] for line in lines) == ["allowedCidrs", "model", "port"]


def test_a_key_that_does_not_exist_is_refused_since_a_mistyped_price_limit_limits_nothing() -> None:
    error = error_of(maxPricePerHur=1)
    assert "there is no such key" in error
    assert "maxPricePerHour" in error


def test_no_secret_is_in_an_error() -> None:
    error = error_of(apiKey="too short", hfToken="hf_token", port=0)
    assert "too short" not in error
    assert "hf_token" not in error
    assert "at least 16 printable characters" in error


@pytest.mark.parametrize("flag", ["model", "revision", "port", "max-model-len", "cpu-offload-gb", "api-key"])
def test_a_flag_with_a_key_of_its_own_cannot_be_overruled_unseen(flag: str) -> None:
    assert f"{flag} is set with the key" in error_of(vllmArgs={flag: 1})


@pytest.mark.parametrize("flag", ["host", "middleware", "uds", "grpc", "ssl-keyfile"])
def test_a_flag_that_would_go_round_the_key_check_is_refused(flag: str) -> None:
    assert f"{flag} would take the server out of reach" in error_of(vllmArgs={flag: "x"})


def test_flags_are_checked_against_the_release_that_will_run() -> None:
    assert "did you mean max-num-seqs?" in error_of(vllmArgs={"max-num-seq": 4})
    assert read(install="source", vllmVersion="0.8.5", vllmArgs={"swap-space": 4}).vllm_args == {"swap-space": 4}


def test_each_wrong_flag_has_a_line_that_begins_with_the_key() -> None:
    lines = error_of(vllmArgs={"swap-space": 4, "seed": "x"}).splitlines()
    assert len(lines) == 2
    assert all(line.startswith(f"{PROJECT}:vllmArgs: is not allowed: ") for line in lines)


def test_flags_arrive_as_vllm_reads_them() -> None:
    assert read(vllmArgs={"compilation-config.mode": 3}).vllm_args == {"compilation-config": {"mode": 3}}


def test_additional_keys_are_a_secret_list_of_keys() -> None:
    keys = ["1234567890123456", "sk-abcdefghijklmnop"]
    assert read(additionalApiKeys=keys).additional_api_keys == keys
    assert read().additional_api_keys == []
    for wrong in (["sk-geheim"], "sk-geheim-and-long-enough", ["sk-geheim and more of it"]):
        told = error_of(additionalApiKeys=wrong)
        assert "a JSON list of at most 100 keys" in told
        assert "geheim" not in told


@pytest.mark.parametrize(
    ("variable", "reason"),
    [
        ("VLLM_USE_RUST_FRONTEND", "serves without the key check"),
        ("HF_HOME", "the server finds the weights there"),
        ("PYTHONPATH", "the key check lies there"),
        ("LAMBDA_VLLM_API_KEYS", "how the key check finds the keys"),
    ],
)
def test_a_variable_that_would_break_the_server_or_its_key_check_is_refused_with_the_reason(
    variable: str, reason: str
) -> None:
    (line,) = error_of(vllmEnv={variable: "1"}).splitlines()
    assert f"{variable} is set by this program: " in line
    assert reason in line


def test_variables_that_no_shell_of_ours_works_with_any_more_are_the_users() -> None:
    variables = dict.fromkeys(("HOME", "PATH", "BIND_ADDRESS", "base", "cache_root", "flags", "target", "what"), "/a")
    assert read(vllmEnv=variables).vllm_env == variables


def test_values_of_flags_and_variables_are_not_repeated_since_they_may_be_secret() -> None:
    assert "sk-oops" not in error_of(vllmArgs={"api-key": "sk-oops"})
    assert "sk-oops" not in error_of(vllmEnv={"VLLM_API_KEY": "sk-oops"})


@pytest.mark.parametrize("secret", sorted(SECRETS))
def test_a_secret_in_plain_text_is_refused_with_the_command_that_puts_it_right(secret: str) -> None:
    config = {f"{PROJECT}:{secret}": "a-plain-secret-value"}
    with pytest.raises(SettingsError) as caught:
        read_settings(config, set(), ENVIRONMENT, PROJECT)
    assert f"pulumi config set --secret {secret}" in str(caught.value)
    assert "a-plain-secret-value" not in str(caught.value)


def test_two_words_for_one_thing_and_one_port_for_two_things_are_refused() -> None:
    assert "imageFamily or imageId" in error_of(imageFamily="lambda-stack-22-04", imageId="abc")
    assert "port and sshPort must differ" in error_of(port=2222, sshPort=2222)


def test_a_filesystem_and_a_build_of_triton_need_what_they_belong_to() -> None:
    assert "name that one in regions" in error_of(filesystem={"name": "weights"}, regions=["us-east-3", "us-east-1"])
    assert "buildTriton and buildJobs need install: source" in error_of(buildTriton=True)
    assert "buildTriton and buildJobs need install: source" in error_of(buildJobs=8)
    assert read(filesystem={"name": "weights"}).filesystem


def test_a_version_that_looks_like_a_number_stays_text() -> None:
    assert read(install="source", vllmVersion="0.32.0").vllm_version == "0.32.0"


def test_a_key_with_a_line_break_behind_it_works() -> None:
    assert read(environment={"LAMBDA_API_KEY": "secret_key\n"}).lambda_api_key == "secret_key"


def test_keys_of_other_projects_are_left_alone() -> None:
    config = {"other:port": "0", f"{PROJECT}:port": "9000"}
    assert read_settings(config, set(), ENVIRONMENT, PROJECT).port == 9000


@pytest.mark.parametrize("stack", ["dev", "local"])
def test_the_stack_files_of_the_project_are_right_and_hold_no_secret(stack: str) -> None:
    config = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
    assert not {f"{PROJECT}:{key}" for key in SECRETS} & config.keys()
    read(**{key.removeprefix(f"{PROJECT}:"): value for key, value in config.items()})


@pytest.mark.parametrize("key", ["apiUrl", "hfEndpoint"])
def test_a_url_with_a_password_is_refused_and_not_repeated(key: str) -> None:
    """It would stand in command lines on the machine, and in errors."""
    told = error_of(**{key: "https://user:geheim@hub.example/path"})
    assert "without a password" in told
    assert "geheim" not in told


@pytest.mark.parametrize("secret", ["geheim\nzwei", "geheim zwei", "geheim日本"])
def test_a_secret_that_cannot_be_sent_is_told_and_not_repeated(secret: str) -> None:
    """The error of the one who sends it would repeat it."""
    with pytest.raises(SettingsError) as caught:
        read(environment={"LAMBDA_API_KEY": secret, "HF_TOKEN": secret})
    told = str(caught.value)
    assert "the Lambda API key holds characters that no key has" in told
    assert "hfToken: is not allowed: it holds characters that no token has" in told
    assert "geheim" not in told
