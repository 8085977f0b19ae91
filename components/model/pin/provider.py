"""Keeps the commit of a model, for `ModelPin`."""

import json
import secrets
from typing import ClassVar

import pulumi
from pulumi.dynamic import CheckFailure, CheckResult, DiffResult
from pydantic import Field

from components.dynamic.errors import ProviderError
from components.dynamic.inputs import Inputs, Properties
from components.dynamic.provider import Created, DynamicProvider, one_line_errors

PIN = ("model", "revision", "facts")
REMEMBERED = 5
"""Pins before the present one, so that a few changes that failed can be taken back."""


class ModelPinInputs(Inputs):
    """What the user asks for, and what preflight found of it."""

    model: str
    revision: str
    facts: str = ""
    problem: str = ""
    obstacles: list[str] = Field(default_factory=list)


class ModelPinProvider(DynamicProvider[ModelPinInputs]):
    """Keeps what was found first. Nothing is asked of the hub here: preflight has done that."""

    inputs: ClassVar[type[Inputs]] = ModelPinInputs
    updatable: ClassVar[frozenset[str]] = frozenset({"model", "revision", "facts", "problem"})

    def ignores_change(self, name: str, state: Properties, inputs: Properties) -> bool:
        """What preflight finds now counts for another model or revision only."""
        return _asked(state) == _asked(inputs) and name in {"facts", "problem"}

    def check(self, _olds: Properties, news: Properties) -> CheckResult:
        """A stack is not begun with what nobody has seen or cannot be launched; where there is a state, `diff` looks
        into it, and the machine's own check."""
        result = super().check(_olds, news)
        # Of the moment, so that no state holds it.
        obstacles = [str(line) for line in result.inputs.pop("obstacles", [])]
        if result.failures or _olds or pulumi.contains_unknowns(news):
            return result
        if not obstacles and not news.get("facts"):
            obstacles = [_unseen(str(news.get("problem") or ""))]
        return CheckResult(result.inputs, [CheckFailure("", line) for line in obstacles])

    def diff(self, _id: str, olds: Properties, news: Properties) -> DiffResult:
        """What nobody has seen is refused in the preview already, unless the state knows it."""
        result = super().diff(_id, olds, news)
        if result.changes and not pulumi.contains_unknowns(news):
            with one_line_errors():
                _facts(olds, news)
        return result

    def create_resource(self, inputs: ModelPinInputs) -> Created:
        return Created(secrets.token_hex(8), self.update_resource("", inputs, {}))

    def update_resource(self, id_: str, inputs: ModelPinInputs, state: Properties) -> Properties:
        """Another commit, which has to be known: nothing is launched or stopped for a model that nobody has seen.

        Going back gives the commit that was served before, though the branch may have moved meanwhile: an `up` with the
        old settings, after one that failed, finds on the machine what it asks for.
        """
        facts = _facts(state, {**inputs.model_dump()})
        pins = [{name: state.get(name, "") for name in PIN}, *_remembered(state)]
        others = [pin for pin in pins if pin["facts"] and _asked(pin) != (inputs.model, inputs.revision)]
        return {"facts": facts, "previous": json.dumps(others[:REMEMBERED])}


def _asked(properties: Properties) -> tuple[object, object]:
    return properties.get("model"), properties.get("revision")


def _remembered(state: Properties) -> list[Properties]:
    """Pins before the present one, the last first."""
    pins: list[Properties] = json.loads(state.get("previous") or "[]")
    return pins


def _facts(state: Properties, inputs: Properties) -> str:
    """Of the pin that is asked for: as it was, if it is remembered, else as preflight found it."""
    before = next((pin["facts"] for pin in _remembered(state) if _asked(pin) == _asked(inputs)), None)
    facts = str(before or inputs.get("facts") or "")
    if not facts:
        raise ProviderError(_unseen(str(inputs.get("problem") or "")))
    return facts


def _unseen(problem: str) -> str:
    return f"{problem or 'the hub could not say which commit this is'}; nothing was changed"
