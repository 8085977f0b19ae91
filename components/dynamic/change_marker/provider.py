"""Counts what is asked for, for `Asked`."""

import secrets
from typing import ClassVar

from components.dynamic.inputs import Inputs, Properties
from components.dynamic.provider import Created, DynamicProvider

TURN_BYTES = 8


class ChangeMarkerInputs(Inputs):
    """What is asked for, as a hash."""

    what: str


class ChangeMarkerProvider(DynamicProvider[ChangeMarkerInputs]):
    """Gives another turn for each change; nothing is sent anywhere."""

    inputs: ClassVar[type[Inputs]] = ChangeMarkerInputs
    updatable: ClassVar[frozenset[str]] = frozenset({"what"})

    def create_resource(self, inputs: ChangeMarkerInputs) -> Created:
        return Created(secrets.token_hex(TURN_BYTES), {"turn": secrets.token_hex(TURN_BYTES)})

    def update_resource(self, id_: str, inputs: ChangeMarkerInputs, state: Properties) -> Properties:
        return {"turn": secrets.token_hex(TURN_BYTES)}
