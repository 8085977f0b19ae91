"""The stack's configuration: the one place that reads it.

Keys are the words of the README's table, in the namespace of the project. Every wrong key is reported at once, each
in one line with its name, its value (never a secret one) and what is allowed.
"""

import json
from collections.abc import Mapping, Set
from typing import Annotated, Any, Literal

from pydantic import (
    AliasGenerator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel

from components.lambda_cloud.api.account_folder import DEFAULT_URL
from components.lambda_cloud.api.firewall_rules import MOST_RULES, Cidr
from components.lambda_cloud.api.names import FilesystemName, TagKey, TagValue
from components.settings.unread import key_elsewhere, unknown_key, unread_errors
from components.text.spelling import did_you_mean
from components.vllm.release.flags import FlagsError, checked_flags
from components.vllm.release.flags.release import misspelt_variables

SECRETS = frozenset({"lambdaApiKey", "hfToken", "apiKey", "additionalApiKeys"})

LISTS = frozenset({"additionalApiKeys"})
"""Secrets that are several."""

MAY_HOLD_SECRETS = frozenset({"vllmArgs", "vllmEnv"})
"""Keys whose values are not repeated in an error."""

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$", max_length=200)]
ModelName = Annotated[str, StringConstraints(pattern=r"^\w[\w.-]*/\w[\w.-]*$", max_length=200)]
Url = Annotated[str, StringConstraints(pattern=r"^https?://[^/\s@?#]+(/[^\s?#]*)?$")]
"""Without a name and a password, which would end in command lines and errors."""
VariableName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
ApiKeyText = Annotated[str, StringConstraints(pattern=r"^[!-~]{16,}$")]
Minutes = Annotated[int, Field(gt=0, le=24 * 60)]
PortNumber = Annotated[int, Field(ge=1, le=65535, strict=True)]

FLAGS_WITH_A_KEY = {
    "model": "model",
    "revision": "modelRevision",
    "port": "port",
    "max-model-len": "maxModelLen",
    "cpu-offload-gb": "cpuOffloadGb",
    "api-key": "apiKey",
}

FLAGS_OF_OURS = frozenset(
    {
        *("config", "enable-ssl-refresh", "grpc", "grpc-port", "headless", "host", "middleware", "root-path"),
        "uds",
    }
)
"""Flags of vLLM 0.32 that decide where and behind what the server listens."""

VARIABLES_OF_OURS = frozenset(
    {
        *("BIND_ADDRESS", "HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "HOME", "LAMBDA_VLLM_API_KEYS", "PATH"),
        *("LAMBDA_VLLM_FLAGS", "PYTHONPATH", "VLLM_API_KEY", "VLLM_USE_RUST_FRONTEND"),
        # The shell that starts the server works with these.
        *("base", "cache_root", "flags", "generation", "program", "served_venv", "settings", "target", "what"),
    }
)
"""The frontend in Rust serves without Python's middleware, so without the key check."""

_WHAT_IS_ALLOWED = {
    "model": "an owner and a repository on the hub, such as meta-llama/Llama-3.1-8B-Instruct",
    "tls": "own-ca, or off for plain HTTP",
    "apiUrl": "a URL without a password, such as https://cloud.lambda.ai",
    "hfEndpoint": "a URL without a password, such as https://huggingface.co",
    "tags": "keys of 2 to 55 characters a-z, 0-9, - and :, values of up to 128 characters",
    "maxModelLen": "auto, or a number of tokens",
    "logMegabytes": "a whole number from 6 to 100000",
    "cpuOffloadGb": "auto, or a number of GiB",
    "vllmVersion": "a version such as 0.32.0, in quotes",
    "filesystem": "an object such as {name: weights, retain: true}",
    "hfToken": "it holds characters that no token has: copy it anew",
    "apiKey": "at least 16 printable characters without spaces",
    "additionalApiKeys": "a JSON list of at most 100 keys, each of at least 16 printable characters without spaces",
    "vllmArgs": "an object of flags of `vllm serve`, such as {max-num-seqs: 64}",
    "vllmEnv": "names and values of environment variables",
}


NO_KEY = "no Lambda API key: set LAMBDA_API_KEY, or run `pulumi config set --secret lambdaApiKey KEY`"


class SettingsError(Exception):
    """One or more wrong keys; the text has one line for each."""


class FilesystemSetting(BaseModel):
    """A filesystem that keeps weights and caches between machines."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: FilesystemName
    retain: bool = True
    """Whether it stays when the stack is destroyed."""


class Settings(BaseModel):
    """What a stack says it wants. Times are minutes and money is US dollars, as users write them."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=AliasGenerator(validation_alias=to_camel))

    model: ModelName = "meta-llama/Llama-3.1-8B-Instruct"
    model_revision: Name = "main"
    instance_types: Annotated[list[Name], Field(min_length=1)] = ["gpu_1x_gh200"]
    regions: Annotated[list[Name], Field(min_length=1)] = ["us-east-3"]
    image_family: Name | None = None
    image_id: Name | None = None
    max_price_per_hour: Annotated[float, Field(ge=0.01, le=100_000, allow_inf_nan=False)] | None = None
    capacity_timeout_minutes: Minutes = 30
    boot_timeout_minutes: Minutes = 30
    start_timeout_minutes: Minutes = 60
    log_megabytes: Annotated[int, Field(ge=6, le=100_000)] = 120
    allowed_cidrs: Annotated[list[Cidr], Field(max_length=MOST_RULES - 1)] = []
    lambda_api_key: Annotated[str, StringConstraints(pattern=r"^[!-~]+$")]
    hf_token: Annotated[str, StringConstraints(pattern=r"^[!-~]*$")] = ""
    api_key: ApiKeyText | None = None
    additional_api_keys: Annotated[list[ApiKeyText], Field(max_length=100)] = []
    port: Annotated[PortNumber, Field(ge=1024)] = 8000
    tls: Literal["own-ca", "off"] = "own-ca"
    max_model_len: Literal["auto"] | Annotated[int, Field(gt=0)] = "auto"
    cpu_offload_gb: Literal["auto"] | Annotated[float, Field(ge=0, le=100_000, allow_inf_nan=False)] = "auto"
    install: Literal["wheel", "source", "precompiled"] = "wheel"
    vllm_version: Annotated[str, StringConstraints(pattern=r"^\d+\.\d+\.\d+(\.post\d+)?$")] | None = None
    build_triton: bool = False
    build_jobs: Annotated[int, Field(gt=0, le=512)] | None = None
    driver: Literal["auto", "compat", "upgrade", "keep"] = "auto"
    filesystem: FilesystemSetting | None = None
    vllm_args: dict[str, Any] = {}
    """As vLLM's `--config` file needs them."""
    vllm_env: dict[VariableName, str | int | float] = {}
    tags: dict[TagKey, TagValue] = {}
    ssh_port: PortNumber = 22
    api_url: Url = DEFAULT_URL
    hf_endpoint: Url = "https://huggingface.co"

    @model_validator(mode="after")
    def keys_that_go_together(self) -> "Settings":
        """Two keys that name the same thing, or two things that want the same place."""
        if self.image_id and self.image_family:
            raise ValueError("give imageFamily or imageId, not both")
        if self.port == self.ssh_port:
            raise ValueError("port and sshPort must differ")
        if self.filesystem and len(self.regions) > 1:
            raise ValueError("a filesystem lies in one region: with filesystem, name that one in regions")
        if (self.build_triton or self.build_jobs) and self.install != "source":
            raise ValueError("buildTriton and buildJobs need install: source")
        return self

    @field_validator("instance_types", "regions")
    @classmethod
    def each_once(cls, names: list[str]) -> list[str]:
        """A place in the order of preference belongs to one name, and a firewall to one region."""
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"{name} is there twice: name each once")
        return names

    @field_validator("vllm_args")
    @classmethod
    def flags_that_vllm_takes(cls, flags: dict[str, Any], known: ValidationInfo) -> dict[str, Any]:
        """A flag is said in one place only, so that nothing is overruled unseen, and said as vLLM reads it."""
        try:
            return checked_flags(flags, known.data.get("vllm_version"), FLAGS_WITH_A_KEY, FLAGS_OF_OURS)
        except FlagsError as error:
            raise ValueError("\n".join(error.lines)) from None

    @field_validator("vllm_env")
    @classmethod
    def variables_that_keep_the_server_whole(cls, variables: dict[str, Any], known: ValidationInfo) -> dict[str, Any]:
        """Some variables would move the weights away, or serve without the key check, and some nobody would read."""
        wrong = [f"{name} is set by this program" for name in sorted(variables.keys() & VARIABLES_OF_OURS)]
        wrong += misspelt_variables(variables, known.data.get("vllm_version"))
        if wrong:
            raise ValueError("\n".join(wrong))
        return variables

    @property
    def image(self) -> tuple[str | None, str | None]:
        """Family and id of the image, one of them None; an id wins."""
        return (None, self.image_id) if self.image_id else (self.image_family or "lambda-stack-24-04", None)

    @property
    def max_price_cents_per_hour(self) -> int | None:
        """The price limit as the API counts."""
        return None if self.max_price_per_hour is None else round(self.max_price_per_hour * 100)


KEYS = tuple(to_camel(field) for field in Settings.model_fields)
"""As users write them."""


def read_settings(
    config: Mapping[str, str],
    secret_keys: Set[str],
    environment: Mapping[str, str],
    project: str,
    stack_file: str = "",
) -> Settings:
    """Settings from the stack's configuration (full keys, values as text) and the environment.

    `secret_keys` are the full keys that are encrypted in the stack file; a secret has to be one of them. The two
    account secrets may come from the environment, as `LAMBDA_API_KEY` and `HF_TOKEN`. `SettingsError` when a key is
    wrong, unknown or missing, and when one that was meant for this program does not reach it; `stack_file` is the text
    of the stack's file, for what Pulumi drops of it.
    """
    prefix = f"{project}:"
    texts = {key.removeprefix(prefix): value for key, value in config.items() if key.startswith(prefix)}
    values: dict[str, Any] = {key: _value(text) for key, text in texts.items()}
    # Secrets and names are text, also when they look like a number.
    values |= {
        key: texts[key]
        for key in texts.keys() & (SECRETS - LISTS | {"model", "modelRevision", "imageId", "vllmVersion"})
    }
    for key, variable in (("lambdaApiKey", "LAMBDA_API_KEY"), ("hfToken", "HF_TOKEN")):
        values[key] = (values.get(key) or environment.get(variable, "")).strip()
    plain = sorted(key for key in texts.keys() & SECRETS if prefix + key not in secret_keys)
    lines = [f"{prefix}{key}: is in plain text; run `pulumi config set --secret {key} VALUE`" for key in plain]
    lines += unread_errors(config, project, KEYS, stack_file)
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        found = error.errors(include_url=False)
        misspelt = {details["loc"][0] for details in found if details["type"] == "extra_forbidden"}
        # Of a part that is misspelt, another one is missing.
        said = (one for one in found if one["type"] != "missing" or one["loc"][0] not in misspelt)
        lines += dict.fromkeys(_line(project, details) for details in said)
        raise SettingsError("\n".join(_with_hint(line, environment) for line in lines)) from None
    if lines:
        raise SettingsError("\n".join(lines))
    return settings


def parse_flag(word: str) -> tuple[str, Any]:
    """Name and value of a word such as `max-num-seqs=4`, as they stand in `vllmArgs`; without a value it is true."""
    name, _, text = word.partition("=")
    return name, _value(text) if text else True


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _with_hint(line: str, environment: Mapping[str, str]) -> str:
    other = key_elsewhere(environment) if line == NO_KEY else ""
    return f"{line}; {other} is set, and is not read" if other else line


def _line(project: str, details: Any) -> str:
    if not details["loc"]:
        return f"{project}: {str(details['msg']).removeprefix('Value error, ')}"
    key = str(details["loc"][0])
    name = f"{project}:{key}"
    if key == "lambdaApiKey" and details["input"]:
        return "the Lambda API key holds characters that no key has: copy it anew"
    if key == "lambdaApiKey":
        return NO_KEY
    inside = len(details["loc"]) > 1
    if details["type"] == "extra_forbidden" and not inside:
        return f"{name}: there is no such key; {unknown_key(key, project, KEYS)}"
    if details["type"] == "extra_forbidden":
        part = str(details["loc"][-1])
        question = f", {near}" if (near := did_you_mean(part, FilesystemSetting.model_fields)) else ";"
        return f"{name}: is not allowed: {part} is no part of it{question} It is {_WHAT_IS_ALLOWED[key]}"
    has_password = key in {"apiUrl", "hfEndpoint"} and "@" in str(details["input"])
    hidden = (
        has_password
        or key in SECRETS | MAY_HOLD_SECRETS
        or (inside and details["type"] in {"missing", "extra_forbidden"})
    )
    value = "" if hidden else f" {json.dumps(details['input'], default=str)}"
    own_words = details["type"] == "value_error" or key not in _WHAT_IS_ALLOWED
    reason = str(details["msg"]).removeprefix("Value error, ") if own_words else _WHAT_IS_ALLOWED[key]
    return "\n".join(f"{name}:{value} is not allowed: {one}" for one in reason.splitlines())
