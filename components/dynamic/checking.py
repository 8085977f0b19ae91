"""What `check` of a resource does: inputs into their canonical form, or everything that is wrong with them at once.

In a preview some values are unknown. What is known is checked all the same, down to the known parts of an object of
which another part is unknown: half an hour later is too late for a typing error.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import pulumi
from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from components.dynamic.inputs import Inputs, Properties

LONGEST_KEY = 60
KEY_ITSELF = "[key]"
"""How pydantic says, at the end of a place, that the key of an object is meant and not its value."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong. `name` is the input's, empty when it is about several."""

    name: str
    reason: str


def check_inputs(model: type[Inputs], given: Properties) -> tuple[Properties, list[Problem]]:
    """The inputs with defaults and in canonical form, or the problems."""
    problems = [Problem("", reason) for reason in model.conflicts(given)]
    try:
        whole = model.model_validate(given)
    except ValidationError as error:
        for details in error.errors(include_url=False):
            if not _is_unknown(given, details["loc"]):
                problems.append(_problem(details))
    else:
        return whole.model_dump(mode="json", exclude_none=True), problems
    return {} if problems else dict(_known_parts(model, given)), problems


def _problem(details: Any) -> Problem:
    name = str(details["loc"][0]) if details["loc"] else ""
    # Where in a list or an object; a key that is wrong itself is named already.
    parts = [part for part in details["loc"][1:] if part != KEY_ITSELF]
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{_shown(part)}" for part in parts)
    reason = _reason(details)
    # Whether there is such an input at all is about its name, which stands before the reason already.
    is_named = not name or (not place and details["type"] in ("missing", "extra_forbidden"))
    return Problem(name, reason if is_named else f"{name}{place}: {reason}")


def _reason(details: Any) -> str:
    """In our own words where pydantic's are about types of Python; all else is its or a validator's."""
    if details["type"] == "missing":
        return "is missing"
    if details["type"] == "extra_forbidden":
        return "there is no such input"
    if details["type"] == "too_short":
        return f"needs at least {details['ctx']['min_length']}"
    return str(details["msg"]).removeprefix("Value error, ")


def _shown(key: str) -> str:
    """A key that the user wrote, on one line and not longer than it takes to find it."""
    return " ".join(key.split())[:LONGEST_KEY]


def _is_unknown(given: Any, place: tuple[int | str, ...]) -> bool:
    """Whether a finding is about a value that is not known yet, or about a whole of which such a value is a part."""
    if place[-1:] == (KEY_ITSELF,):
        # A key is known, whatever stands behind it.
        return False
    value = given
    for part in place:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            break
        if pulumi.contains_unknowns(value) and not isinstance(value, dict | list):
            return True
    return isinstance(value, pulumi.output.Unknown)


def _known_parts(model: type[Inputs], given: Properties) -> Iterator[tuple[str, Any]]:
    for name, info in model.model_fields.items():
        if name not in given:
            default = info.get_default(call_default_factory=True)
            if not info.is_required() and default is not None:
                yield name, default
        elif pulumi.contains_unknowns(given[name]):
            yield name, given[name]
        else:
            form = _form(model, name)
            value = form.dump_python(form.validate_python(given[name]), mode="json", exclude_none=True)
            if value is not None:
                yield name, value


@functools.cache
def _form(model: type[Inputs], name: str) -> TypeAdapter[Any]:
    info: FieldInfo = model.model_fields[name]
    return TypeAdapter(Annotated[info.annotation, *info.metadata, None])  # type: ignore[arg-type]
