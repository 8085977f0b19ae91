"""The words that users write, each declared once, in groups: one for each part of a stack that is handed them whole.

Out of this come what a stack takes (`Settings`), the lines of errors, the schema in `Pulumi.yaml` and the table in the
README (`make docs`). Times are minutes and money is US dollars, as users write them.
"""

from typing import Annotated, Any, Literal

from pydantic import AliasGenerator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from components.lambda_cloud.api.account_folder import DEFAULT_URL
from components.lambda_cloud.api.firewall_rules import MOST_RULES, Cidr
from components.lambda_cloud.api.names import TagKey, TagValue
from components.settings.word import (
    A_PASSWORD,
    EVERYTHING,
    ApiKeyText,
    FilesystemSetting,
    Minutes,
    ModelName,
    Name,
    PortNumber,
    Url,
    VariableName,
    Word,
    word_of,
)

IMAGE_FAMILY = "lambda-stack-24-04"
"""What a machine is made from where nothing is said of it."""


class Words(BaseModel):
    """Words that belong together: the fields, each with its meaning below it.

    The first paragraph of a meaning says what it is, the next one more, in Markdown. `scripts/docs` reads them out of
    the source; pydantic would do so in every run. Users write names in camel case.
    """

    # Built when first used: a part is made of values that have been checked as a whole.
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        defer_build=True,
        alias_generator=AliasGenerator(validation_alias=to_camel),
    )

    def __repr_args__(self) -> list[tuple[str | None, object]]:
        """Without what may be secret: a traceback shows the arguments of components."""
        return [(name, value) for name, value in super().__repr_args__() if not name or self._is_shown(name)]

    @classmethod
    def _is_shown(cls, name: str) -> bool:
        word = word_of(cls.model_fields[name])
        return not word.is_secret and word.hides != EVERYTHING


class ModelSettings(Words):
    """The model, and the hub it comes from."""

    model: Annotated[
        ModelName,
        Word(
            allowed="an owner and a repository on the hub, such as meta-llama/Llama-3.1-8B-Instruct",
            is_text=True,
            flag="model",
        ),
    ] = "meta-llama/Llama-3.1-8B-Instruct"
    """Hugging Face repository to serve."""

    model_revision: Annotated[Name, Word(is_text=True, flag="revision")] = "main"
    """Branch, tag or commit of the model."""

    hf_token: Annotated[
        str,
        StringConstraints(pattern=r"^[!-~]*$"),
        Word(
            unset="`HF_TOKEN` of the environment",
            allowed="it holds characters that no token has: copy it anew",
            is_secret=True,
            is_text=True,
        ),
    ] = ""
    """Token of the Hugging Face hub, which a gated model needs."""

    hf_endpoint: Annotated[
        Url, Word(allowed="a URL without a password, such as https://huggingface.co", hides=A_PASSWORD)
    ] = "https://huggingface.co"
    """URL of the Hugging Face hub.

    The local stack overrides it.
    """


class MachineSettings(Words):
    """The machine, and how long it is waited for."""

    instance_types: Annotated[list[Name], Field(min_length=1)] = ["gpu_1x_gh200"]
    """Acceptable instance types in order of preference."""

    regions: Annotated[list[Name], Field(min_length=1)] = ["us-east-3"]
    """Acceptable regions in order of preference."""

    image_family: Annotated[Name | None, Word(unset=f"`{IMAGE_FAMILY}`")] = None
    """Family of the image that the machine is made from; or name one image with `imageId`."""

    image_id: Annotated[Name | None, Word(unset="none", is_text=True)] = None
    """Id of the image that the machine is made from, in place of `imageFamily`."""

    max_price_per_hour: Annotated[
        Annotated[float, Field(ge=0.01, le=100_000, allow_inf_nan=False)] | None, Word(unset="no limit")
    ] = None
    """Dollars an hour; nothing dearer is launched."""

    capacity_timeout_minutes: Minutes = 30
    """Minutes to wait for a free machine."""

    boot_timeout_minutes: Minutes = 30
    """Minutes to wait for the machine to boot."""

    filesystem: Annotated[
        FilesystemSetting | None, Word(unset="none", allowed="an object such as {name: weights, retain: true}")
    ] = None
    """`{name: weights, retain: true}`: a Lambda filesystem that keeps weights and caches between machines.

    Made when it is not there, in the one region that `regions` then has to name. It costs by what is stored.
    """

    tags: Annotated[
        dict[TagKey, TagValue],
        Word(allowed="keys of 2 to 55 characters a-z, 0-9, - and :, values of up to 128 characters"),
    ] = {}
    """Tags of the instance."""

    ssh_port: PortNumber = 22
    """Port of the machine's SSH server.

    The local stack overrides it.
    """

    @property
    def image(self) -> tuple[str | None, str | None]:
        """Family and id of the image, one of them None; an id wins."""
        return (None, self.image_id) if self.image_id else (self.image_family or IMAGE_FAMILY, None)

    @property
    def max_price_cents_per_hour(self) -> int | None:
        """The price limit as the API counts."""
        return None if self.max_price_per_hour is None else round(self.max_price_per_hour * 100)


class InstallSettings(Words):
    """vLLM, and how it comes to the machine."""

    install: Literal["wheel", "source", "precompiled"] = "wheel"
    """How vLLM comes to the machine: `wheel`, `precompiled` or `source`.

    `wheel`: everything pinned by hash, minutes. `source`: vLLM compiled on the machine, as in the tutorial.
    `precompiled`: the source tree with the wheel's compiled parts.
    """

    vllm_version: Annotated[
        Annotated[str, StringConstraints(pattern=r"^\d+\.\d+\.\d+(\.post\d+)?$")] | None,
        Word(unset="the pinned one", allowed="a version such as 0.32.0, in quotes", is_text=True),
    ] = None
    """Version of vLLM.

    Others than the pinned one are for `install: source`: [docs/source-build.md](docs/source-build.md).
    """

    build_triton: bool = False
    """Build Triton from source as well, with `install: source`."""

    build_jobs: Annotated[Annotated[int, Field(gt=0, le=512)] | None, Word(unset="as many as the machine bears")] = None
    """How many compilers run at once, with `install: source`."""

    driver: Literal["auto", "compat", "upgrade", "keep"] = "auto"
    """What to do about a driver older than 580: `auto`, `compat`, `upgrade` or `keep`.

    `auto` and `compat` add NVIDIA's compatibility libraries without a reboot, `upgrade` installs Lambda's driver 580
    and reboots, `keep` leaves it alone and refuses what it cannot run.
    """


class ServingSettings(Words):
    """The server on the machine."""

    max_model_len: Annotated[
        Literal["auto"] | Annotated[int, Field(gt=0)],
        Word(allowed="auto, or a number of tokens", flag="max-model-len"),
    ] = "auto"
    """Context in tokens; `auto` is the longest that fits and that vLLM serves of its own accord.

    [docs/sizing.md](docs/sizing.md#vllms-rule) has vLLM's rule.
    """

    cpu_offload_gb: Annotated[
        Literal["auto"] | Annotated[float, Field(ge=0, le=100_000, allow_inf_nan=False)],
        Word(allowed="auto, or a number of GiB", flag="cpu-offload-gb"),
    ] = "auto"
    """GiB of weights kept in the machine's memory, for models larger than the GPU's; `auto` is as little as serves
    `maxModelLen`, or 16,384 tokens."""

    vllm_args: Annotated[
        dict[str, Any],
        Word(allowed="an object of flags of `vllm serve`, such as {max-num-seqs: 64}", hides=EVERYTHING),
    ] = {}
    """Any other flag of `vllm serve`, without the leading dashes.

    For example `{max-num-seqs: 64, compilation-config.mode: 3}`. Names and values are checked against the release's own
    list, and those that would go round the key check are refused ([docs/security.md](docs/security.md#flags-of-vllm)).
    A file that one names, such as `{chat-template: mine.jinja}`
    beside `Pulumi.yaml`, goes to the machine ([docs/changes.md](docs/changes.md#files-that-flags-name)).
    """

    vllm_env: Annotated[
        dict[VariableName, str | int | float],
        Word(allowed="names and values of environment variables", hides=EVERYTHING),
    ] = {}
    """Environment variables of the server.

    A misspelt one of vLLM is refused.
    """

    start_timeout_minutes: Minutes = 60
    """Minutes to wait for the model to answer."""

    log_megabytes: Annotated[int, Field(ge=6, le=100_000), Word(allowed="a whole number from 6 to 100000")] = 120
    """Megabytes that the server's logs may take of the machine's disk.

    A change takes effect without a restart.
    """


class EndpointSettings(Words):
    """The endpoint, and who may use it."""

    port: Annotated[PortNumber, Field(ge=1024), Word(flag="port")] = 8000
    """TCP port of the endpoint, 1024 or higher."""

    tls: Annotated[Literal["own-ca", "off"], Word(allowed="own-ca, or off for plain HTTP")] = "own-ca"
    """`own-ca`: TLS with an authority of the stack's own; `off`: plain HTTP.

    With `off` the key crosses the network in the clear, so only for a network that is yours.
    """

    allowed_cidrs: Annotated[list[Cidr], Field(max_length=MOST_RULES - 1)] = []
    """IPv4 networks that may reach the endpoint, such as `203.0.113.7/32` for one address; none means closed, use the
    `tunnel` output.

    What is open to strangers or opens nothing is said in the preview.
    """

    api_key: Annotated[
        ApiKeyText | None,
        Word(
            unset="a random one",
            allowed="at least 16 printable characters without spaces",
            is_secret=True,
            is_text=True,
            flag="api-key",
        ),
    ] = None
    """Key of the endpoint, 16 characters or more.

    Taken back, it gives way to a new random one.
    """

    additional_api_keys: Annotated[
        list[ApiKeyText],
        Field(max_length=100),
        Word(
            unset="none",
            allowed="a JSON list of at most 100 keys, each of at least 16 printable characters without spaces",
            is_secret=True,
        ),
    ] = []
    """A JSON list of keys that are accepted too.

    For several clients, or a [change of keys without a gap](docs/security.md#changing-keys).
    """


class AccountSettings(Words):
    """The account at Lambda."""

    lambda_api_key: Annotated[
        str,
        StringConstraints(pattern=r"^[!-~]+$"),
        Word(unset="`LAMBDA_API_KEY` of the environment", is_secret=True, is_text=True),
    ]
    """Key of Lambda's API."""

    api_url: Annotated[Url, Word(allowed=f"a URL without a password, such as {DEFAULT_URL}", hides=A_PASSWORD)] = (
        DEFAULT_URL
    )
    """URL of Lambda's API.

    The local stack overrides it.
    """


GROUPS = (ModelSettings, MachineSettings, InstallSettings, ServingSettings, EndpointSettings, AccountSettings)
"""In the order in which a reader meets them."""
