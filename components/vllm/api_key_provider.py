"""Makes the keys of endpoints, for `ApiKey`."""

import secrets
from typing import ClassVar

from components.cloud.provider import Inputs, LambdaProvider, Made

KEY_BYTES = 32


class ApiKeyInputs(Inputs):
    """A key needs nothing."""


class ApiKeyProvider(LambdaProvider[ApiKeyInputs]):
    """Makes a random key; nothing is sent anywhere."""

    inputs: ClassVar[type[Inputs]] = ApiKeyInputs

    def make(self, inputs: ApiKeyInputs) -> Made:
        # The id stands in the state in plain text, so it is not made from the key.
        return Made(secrets.token_hex(8), {"key": "sk-" + secrets.token_urlsafe(KEY_BYTES)})
