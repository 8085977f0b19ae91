"""What is to be known of a word of the configuration besides its type, its default and its meaning."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.fields import FieldInfo

from components.lambda_cloud.api.names import FilesystemName

EVERYTHING = ""
"""Every value holds it."""

A_PASSWORD = "@"  # noqa: S105 - what stands behind one in a URL


@dataclass(frozen=True, kw_only=True)
class Word:
    """Stands in the annotation of a field."""

    unset: str = ""
    """What holds without it, in Markdown, where the default by itself does not say so."""
    allowed: str = ""
    """What a wrong value is told to be instead; empty where the words of pydantic are right."""
    is_secret: bool = False
    """Only taken when it is encrypted in the stack's file, and never shown."""
    hides: str | None = None
    """Values with this text in them are not repeated in an error."""
    is_text: bool = False
    """Never read as JSON: it is text also when it looks like a number."""
    flag: str = ""
    """The flag of `vllm serve` that it stands for."""


PLAIN = Word()


def word_of(field: FieldInfo) -> Word:
    """What is known of a word besides; `PLAIN` when there is nothing to say."""
    return next((one for one in field.metadata if isinstance(one, Word)), PLAIN)


Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$", max_length=200)]
ModelName = Annotated[str, StringConstraints(pattern=r"^\w[\w.-]*/\w[\w.-]*$", max_length=200)]
Url = Annotated[str, StringConstraints(pattern=r"^https?://[^/\s@?#]+(/[^\s?#]*)?$")]
"""Without a name and a password, which would end in command lines and errors."""
VariableName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
ApiKeyText = Annotated[str, StringConstraints(pattern=r"^[!-~]{16,}$")]
Minutes = Annotated[int, Field(gt=0, le=24 * 60)]
PortNumber = Annotated[int, Field(ge=1, le=65535, strict=True)]


class FilesystemSetting(BaseModel):
    """A filesystem that keeps weights and caches between machines."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: FilesystemName
    retain: bool = True
    """Whether it stays when the stack is destroyed."""
