"""The one base class of the resources: what Pulumi's dynamic providers leave to each author, decided once.

A subclass says what its inputs are (a pydantic model) and how to create, read, update and delete one object. Everything
here follows from how the engine calls a dynamic provider (Pulumi 3.259, SDK 3.272):

* Provider objects carry no attributes when they are pickled into the state; the class is found again by its module
  path, so a class that moves leaves an alias behind.
* Numbers arrive as floats, absent values are dropped, unknown values appear in previews.
* `diff` gets the old outputs and the new inputs; so every output holds the inputs as well.
"""

import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

import pulumi
from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    ResourceProvider,
    UpdateResult,
)

from components.dynamic.checking import check_inputs
from components.dynamic.engine import at_work, leave_with_engine
from components.dynamic.errors import ProviderError, ResourceError
from components.dynamic.inputs import Inputs, Properties
from components.dynamic.plugin_threads import widen
from components.text.variables import TRACEBACK_VARIABLE

HASH_ENDING = "_sha256"


Declared = TypeVar("Declared", bound=Inputs)


@dataclass(frozen=True)
class Created:
    """A new object: its id, never empty, and what is known of it besides its inputs."""

    id: str
    outputs: Properties = field(default_factory=dict)


class DynamicProvider(ResourceProvider, Generic[Declared]):
    """Base of all providers; attribute-free until the plugin process calls `configure`."""

    serialize_as_secret_always = False

    inputs: ClassVar[type[Inputs]]
    """Model of the declared inputs; its validators bring values into one canonical form."""

    updatable: ClassVar[frozenset[str]] = frozenset()
    """Inputs that change in place; a change of any other replaces the object."""

    secret_inputs: ClassVar[frozenset[str]] = frozenset()
    """Inputs whose value no message may show."""

    hashed_inputs: ClassVar[frozenset[str]] = frozenset()
    """Inputs that the outputs hold as a SHA-256 (`<name>_sha256`) only, and that are compared by it."""

    # What a subclass writes

    def create_resource(self, inputs: Declared) -> Created:
        """Create the object. Once something exists in the cloud this must not raise."""
        raise NotImplementedError

    def read_resource(self, id_: str, state: Properties) -> Properties | None:
        """Today's properties that may have drifted, `{}` when nothing has, None when the object is gone."""
        return {}

    def update_resource(self, id_: str, inputs: Declared, state: Properties) -> Properties:
        """Change the object in place; the outputs that are new by that."""
        return {}

    def delete_resource(self, id_: str, state: Properties) -> None:
        """Delete the object; one that is gone already is a success."""

    def ignores_change(self, name: str, state: Properties, inputs: Properties) -> bool:
        """True when the object as it is satisfies a changed input, so that nothing has to be done."""
        return False

    def needs_replacement(self, state: Properties) -> str | None:
        """The output by which a refreshed object shows that it is of no use any more and has to be replaced."""
        return None

    def deletes_before_replace(self, state: Properties, inputs: Properties) -> bool:
        """Whether the old object has to be gone before a new one can be made in its place."""
        return False

    # What the plugin process calls

    def configure(self, req: ConfigureRequest) -> None:
        """Get ready, once in the life of the plugin. No request is sent here."""
        if not os.environ.get(TRACEBACK_VARIABLE):
            sys.tracebacklimit = 0
        widen()
        leave_with_engine()

    def check(self, _olds: Properties, news: Properties) -> CheckResult:
        """Validate what is known, fill in defaults, bring values into their canonical form. No network."""
        given = _plain(news)
        checked, problems = check_inputs(self.inputs, given)
        if not problems:
            return CheckResult(checked, [])
        failures = [
            # With a property name the engine prints the value beside the reason, a secret one too.
            CheckFailure("" if one.name in self.secret_inputs else one.name, one.reason)
            for one in problems
        ]
        return CheckResult(given, failures)

    def diff(self, _id: str, olds: Properties, news: Properties) -> DiffResult:
        """Compare the declared inputs, and nothing that the cloud chose."""
        olds, news = self._hashed(olds), self._hashed(news)
        changed = [
            name
            for name in self.inputs.model_fields
            if self._value(name, olds) != self._value(name, news) and not self.ignores_change(name, olds, news)
        ]
        # An unknown value may turn out to be the old one, and a machine is not replaced on a guess: the engine calls
        # again with the value before it acts.
        replaces = [
            name
            for name in changed
            if name not in self.updatable and not pulumi.contains_unknowns(self._value(name, news))
        ]
        broken = self.needs_replacement(olds)
        if broken:
            changed.append(broken)
            replaces.append(broken)
        first = bool(replaces) and self.deletes_before_replace(olds, news)
        return DiffResult(changes=bool(changed), replaces=replaces, delete_before_replace=first)

    def create(self, props: Properties) -> CreateResult:
        """Create, and give back the inputs with the outputs."""
        with one_line_errors():
            made = self.create_resource(self._declared(props))
        return CreateResult(made.id, {**self._hashed(_plain(props)), **made.outputs})

    def read(self, id_: str, props: Properties) -> ReadResult:
        """Refresh: what is gone leaves the state, what drifted is seen by the next `diff`."""
        with one_line_errors():
            found = self.read_resource(id_, props)
        return ReadResult("", {}) if found is None else ReadResult(id_, {**self._hashed(_plain(props)), **found})

    def update(self, _id: str, _olds: Properties, _news: Properties) -> UpdateResult:
        """Change in place; outputs that did not change are kept, since the engine would drop them."""
        with one_line_errors():
            outputs = self.update_resource(_id, self._declared(_news), _olds)
        return UpdateResult({**_plain(_olds), **self._hashed(_plain(_news)), **outputs})

    def delete(self, _id: str, _props: Properties) -> None:
        """Delete, and fail loudly when the cloud does not agree."""
        with one_line_errors():
            self.delete_resource(_id, _props)

    def _declared(self, props: Properties) -> Declared:
        known = {name: value for name, value in props.items() if name in self.inputs.model_fields}
        return self.inputs.model_validate(known)  # type: ignore[return-value]

    def _value(self, name: str, props: Properties) -> Any:
        """An input as it compares; of some there is only the hash."""
        return canonical(props.get(name + HASH_ENDING if name in self.hashed_inputs else name))

    def _hashed(self, props: Properties) -> Properties:
        """The same with hashes in the place of what only they are kept of."""
        given = dict(props)
        for name in self.hashed_inputs & given.keys():
            value = given.pop(name)
            known = not pulumi.contains_unknowns(value)
            given[name + HASH_ENDING] = hashlib.sha256(str(value).encode()).hexdigest() if known else value
        return given


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn what is expected to go wrong into one line; anything else is our bug and keeps its traceback."""
    try:
        with at_work():
            yield
    except ProviderError as error:
        raise ResourceError(str(error)) from None


def canonical(value: Any) -> Any:
    """A value as it compares: whole floats are integers, absent values of an object are dropped."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: canonical(item) for name, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [canonical(item) for item in value]
    return value


def _plain(props: Properties) -> Properties:
    return {name: value for name, value in props.items() if name != "__provider"}
