"""Forms of the inputs of resources, as pydantic models. Nothing here knows Pulumi."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import AfterValidator, BaseModel, ConfigDict
from pydantic_core import PydanticCustomError

Properties = dict[str, Any]


def written(pattern: str, allowed: str) -> AfterValidator:
    """A text of this form and no other; `allowed` says in words which that is, for whoever wrote something else."""

    def in_form(text: str) -> str:
        # The text is not repeated: it may be a secret in the wrong place, and the engine shows the others anyway.
        if not re.fullmatch(pattern, text):
            raise PydanticCustomError("form", "has to be {allowed}", {"allowed": allowed})
        return text

    return AfterValidator(in_form)


class Part(BaseModel):
    """Base of an object that is a part of an input."""

    # Built when first used: a program defines all and uses none, and would pay for it in every preview.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Inputs(Part):
    """Base of the declared inputs of a resource."""

    @classmethod
    def conflicts(cls, given: Mapping[str, Any]) -> Iterator[str]:  # noqa: ARG003 - for subclasses
        """What is wrong between inputs that are right each by itself. `given` may hold unknown values."""
        yield from ()
