"""Keeps the commit of a model, for `ModelPin`."""

import secrets
from typing import ClassVar

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
        same = (state.get("model"), state.get("revision")) == (inputs.get("model"), inputs.get("revision"))
        return same and name in {"facts", "problem"}

    def make(self, inputs: ModelPinInputs) -> Made:
        return Made(secrets.token_hex(8), self.change("", inputs, {}))

    def change(self, id_: str, inputs: ModelPinInputs, state: Properties) -> Properties:
        """Another commit, which has to be known: nothing is launched or stopped for a model that nobody has seen."""
        if not inputs.facts:
            raise CloudError(f"{inputs.problem or 'the hub could not say which commit this is'}; nothing was changed")
        return {"facts": inputs.facts}
