"""Gives each change of what is asked for a revision, for `ChangeMarker`."""

import secrets
from typing import ClassVar

from components.dynamic.inputs import Inputs, Properties
from components.dynamic.provider import Created, DynamicProvider

REVISION_BYTES = 8


class ChangeMarkerInputs(Inputs):
    """What is asked for, as a hash."""

    what: str


class ChangeMarkerProvider(DynamicProvider[ChangeMarkerInputs]):
    """Gives another revision for each change; nothing is sent anywhere."""

    inputs: ClassVar[type[Inputs]] = ChangeMarkerInputs
    updatable: ClassVar[frozenset[str]] = frozenset({"what"})

    def create_resource(self, inputs: ChangeMarkerInputs) -> Created:
        return Created(secrets.token_hex(REVISION_BYTES), {"revision": secrets.token_hex(REVISION_BYTES)})

    def update_resource(self, id_: str, inputs: ChangeMarkerInputs, state: Properties) -> Properties:
        return {"revision": secrets.token_hex(REVISION_BYTES)}
