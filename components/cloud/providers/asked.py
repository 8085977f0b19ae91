"""Counts what is asked for, for `Asked`."""

import secrets
from typing import ClassVar

from components.cloud.provider import Inputs, LambdaProvider, Made, Properties

TURN_BYTES = 8


class AskedInputs(Inputs):
    """What is asked for, as a hash."""

    what: str


class AskedProvider(LambdaProvider[AskedInputs]):
    """Gives another turn for each change; nothing is sent anywhere."""

    inputs: ClassVar[type[Inputs]] = AskedInputs
    updatable: ClassVar[frozenset[str]] = frozenset({"what"})

    def make(self, inputs: AskedInputs) -> Made:
        return Made(secrets.token_hex(TURN_BYTES), {"turn": secrets.token_hex(TURN_BYTES)})

    def change(self, id_: str, inputs: AskedInputs, state: Properties) -> Properties:
        return {"turn": secrets.token_hex(TURN_BYTES)}
