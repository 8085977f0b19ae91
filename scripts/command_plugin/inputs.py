"""The inputs of both resources: their fields, defaults and rules (pulumi-command 1.2.1, `remote` module)."""

from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator, model_validator
from pydantic.alias_generators import to_camel

from .properties import ARCHIVE, ASSET, SIGNATURE, UNKNOWN, Properties, comparable


class WireModel(BaseModel):
    """Fields in Python's spelling here, in camelCase on the wire; a key that is not a field is refused."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)


class Connection(WireModel):
    """How to reach the host."""

    host: str
    port: int = 22
    user: str = "root"
    password: str | None = None
    private_key: str | None = None
    """The key itself, not a path."""
    private_key_password: str | None = None
    agent_socket_path: str | None = None
    dial_error_limit: int = 10
    """How many failed dials are retried; below 0 is for ever."""
    per_dial_timeout: int = 15
    """Seconds for one dial; 0 is no limit."""
    host_key: str | None = None
    """One line in authorized_keys form; without it any host key is accepted."""
    proxy: Any = None

    @field_validator("proxy")
    @classmethod
    def _refuse_proxy(cls, proxy: Any) -> None:
        if proxy is not None:
            raise ValueError("a bastion host needs the official pulumi-resource-command plugin; this is the stand-in")


class ResourceInputs(WireModel):
    """What both resources have."""

    connection: Connection
    triggers: list[Any] | None = None
    """Any change replaces the resource."""


class CommandInputs(ResourceInputs):
    """Inputs of `command:remote:Command`."""

    create: str | None = None
    update: str | None = None
    delete: str | None = None
    environment: dict[str, str] | None = None
    stdin: str | None = None
    logging: Literal["stdout", "stderr", "stdoutAndStderr", "none"] | None = None
    """Which streams are shown while the command runs; absent is both."""
    add_previous_output_in_env: bool = True

    @property
    def logs_stdout(self) -> bool:
        return self.logging in (None, "stdout", "stdoutAndStderr")

    @property
    def logs_stderr(self) -> bool:
        return self.logging in (None, "stderr", "stdoutAndStderr")


class Source(BaseModel):
    """What is copied: a local path (file, directory or packed archive, as it is) or a text."""

    model_config = ConfigDict(frozen=True)

    path: str | None = None
    text: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_wire(cls, value: Any) -> Any:
        kind = value.get(SIGNATURE) if isinstance(value, dict) else None
        if kind not in (ASSET, ARCHIVE):
            raise ValueError("either asset or archive must be set")
        if kind == ARCHIVE and not value.get("path"):
            raise ValueError("archive must be a path to a file or directory")
        path, text = value.get("path") or None, value.get("text") or None
        if path is None and text is None:
            # The Python SDK breaks on the empty text that 1.2.1 would take, since the engine sends it without `text`.
            raise ValueError("asset must be a path-based file asset or a text asset that is not empty")
        return {"path": path, "text": text}


class CopyInputs(ResourceInputs):
    """Inputs of `command:remote:CopyToRemote`."""

    source: Source
    remote_path: str


Inputs = TypeVar("Inputs", bound=ResourceInputs)


def with_defaults(model: type[ResourceInputs], properties: Properties) -> Properties:
    """The properties with the defaults of the resource and of its connection written in, as 1.2.1's Check does."""
    filled = _filled(model, properties)
    if isinstance(filled.get("connection"), dict):
        filled["connection"] = _filled(Connection, filled["connection"])
    return filled


def _filled(model: type[WireModel], properties: Properties) -> Properties:
    defaults = {
        to_camel(name): field.default
        for name, field in model.model_fields.items()
        if not field.is_required() and field.default is not None
    }
    given = {key: value for key, value in properties.items() if value is not None}
    return defaults | given


def failures(model: type[ResourceInputs], properties: Properties) -> list[str]:
    """Every rule that the properties break, one line each and without their values; an unknown value breaks none.

    The one exception is 1.2.1's own: a `source` that a preview does not know yet is refused.
    """
    try:
        model.model_validate(properties)
    except ValidationError as error:
        return [
            f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors(include_url=False, include_context=False)
            if problem["input"] != UNKNOWN or problem["loc"] == ("source",)
        ]
    return []


def changed_keys(model: type[ResourceInputs], olds: Properties, news: Properties) -> list[str]:
    """The input names whose values differ between the old state and the new inputs."""
    names = (to_camel(name) for name in model.model_fields)
    return [name for name in names if comparable(olds.get(name)) != comparable(news.get(name))]


def parsed(model: type[Inputs], properties: Properties) -> Inputs:
    """The inputs as an object; the properties, which may be a whole state, have passed `failures` before."""
    names = {to_camel(name) for name in model.model_fields}
    return model.model_validate({name: value for name, value in properties.items() if name in names})
