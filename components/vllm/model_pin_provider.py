"""Keeps the commit of a model, for `ModelPin`."""

import json
import secrets
from typing import ClassVar

import pulumi
from pulumi.dynamic import CheckFailure, CheckResult

from components.cloud.errors import CloudError
from components.cloud.provider import Inputs, LambdaProvider, Made, Properties


class ModelPinInputs(Inputs):
    """What the user asks for, and what preflight found of it."""

    model: str
    revision: str
    facts: str = ""
    problem: str = ""


class ModelPinProvider(LambdaProvider[ModelPinInputs]):
    """Keeps what was found first. Nothing is asked of the hub here: preflight has done that."""

    inputs: ClassVar[type[Inputs]] = ModelPinInputs
    updatable: ClassVar[frozenset[str]] = frozenset({"model", "revision", "facts", "problem"})

    def keeps(self, name: str, state: Properties, inputs: Properties) -> bool:
        """What preflight finds now counts for another model or revision only."""
        return _asked(state) == _asked(inputs) and name in {"facts", "problem"}

    def check(self, _olds: Properties, news: Properties) -> CheckResult:
        """What nobody has seen is refused in the preview already, unless it is what the state knows."""
        result = super().check(_olds, news)
        if result.failures or pulumi.contains_unknowns(news) or news.get("facts") or self.keeps("facts", _olds, news):
            return result
        return CheckResult(result.inputs, [CheckFailure("", _unseen(str(news.get("problem") or "")))])

    def make(self, inputs: ModelPinInputs) -> Made:
        return Made(secrets.token_hex(8), self.change("", inputs, {}))

    def change(self, id_: str, inputs: ModelPinInputs, state: Properties) -> Properties:
        """Another commit, which has to be known: nothing is launched or stopped for a model that nobody has seen.

        Going back gives the commit that was served before, though the branch may have moved meanwhile: an `up` with the
        old settings, after one that failed, finds on the machine what it asks for.
        """
        facts = _facts_before(state, {"model": inputs.model, "revision": inputs.revision}) or inputs.facts
        if not facts:
            raise CloudError(_unseen(inputs.problem))
        before = {name: state.get(name, "") for name in ("model", "revision", "facts")}
        return {"facts": facts, "previous": json.dumps(before)}


def _asked(properties: Properties) -> tuple[object, object]:
    return properties.get("model"), properties.get("revision")


def _facts_before(state: Properties, inputs: Properties) -> str:
    """Of the pin before the present one, when that is what is asked for; empty when it is not."""
    before = json.loads(state.get("previous") or "{}")
    return str(before["facts"]) if before and _asked(before) == _asked(inputs) else ""


def _unseen(problem: str) -> str:
    return f"{problem or 'the hub could not say which commit this is'}; nothing was changed"
