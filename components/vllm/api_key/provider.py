"""Makes the keys of endpoints, for `ApiKey`."""

import hashlib
import secrets
from typing import ClassVar

from pulumi.dynamic import DiffResult

from components.dynamic.inputs import Inputs, Properties
from components.dynamic.provider import HASH_ENDING, Created, DynamicProvider

KEY_BYTES = 32

_HASH = f"given{HASH_ENDING}"
_NONE = hashlib.sha256(b"").hexdigest()


class ApiKeyInputs(Inputs):
    """What the user brings."""

    given: str = ""


class ApiKeyProvider(DynamicProvider[ApiKeyInputs]):
    """Takes the user's key, or makes a random one; nothing is sent anywhere."""

    inputs: ClassVar[type[Inputs]] = ApiKeyInputs
    updatable: ClassVar[frozenset[str]] = frozenset({"given"})
    secret_inputs: ClassVar[frozenset[str]] = frozenset({"given"})
    hashed_inputs: ClassVar[frozenset[str]] = frozenset({"given"})

    def ignores_change(self, name: str, state: Properties, inputs: Properties) -> bool:
        """A random key of a version that did not note whether one was given stays."""
        return _HASH not in state and inputs.get(_HASH) == _NONE

    def diff(self, _id: str, olds: Properties, news: Properties) -> DiffResult:
        """Says in the preview that clients will need another key where the user may not expect it."""
        result = super().diff(_id, olds, news)
        if result.changes and self._hashed(news).get(_HASH) == _NONE:
            print("apiKey is not set any more: the endpoint gets a new random key, and clients need it (`api_key`)")
        return result

    def create_resource(self, inputs: ApiKeyInputs) -> Created:
        # The id stands in the state in plain text, so it is not made from the key.
        return Created(secrets.token_hex(8), self._key(inputs))

    def update_resource(self, id_: str, inputs: ApiKeyInputs, state: Properties) -> Properties:
        """Another key. After the user's own a random one is new: the one before it may have been shut out by that."""
        return self._key(inputs)

    def _key(self, inputs: ApiKeyInputs) -> Properties:
        return {"key": inputs.given or "sk-" + secrets.token_urlsafe(KEY_BYTES)}
