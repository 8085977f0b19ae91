"""The base class of the resources that are at Lambda: the account, configured once."""

import os
from typing import TYPE_CHECKING, Generic

from pulumi.dynamic import ConfigureRequest

from components.dynamic.provider import Declared, DynamicProvider
from components.lambda_cloud.api.account_folder import DEFAULT_URL

if TYPE_CHECKING:
    from components.lambda_cloud.api.client import LambdaClient


class LambdaProvider(DynamicProvider[Declared], Generic[Declared]):
    """Base of the providers of what is at Lambda."""

    # Of the class, not of the object, until they are configured: what the object holds would be pickled.
    _api_key = ""
    _api_url = DEFAULT_URL

    def configure(self, req: ConfigureRequest) -> None:
        """Take the account, once in the life of the plugin. No request is sent here."""
        super().configure(req)
        self._api_key = str(req.config.get("lambdaApiKey") or os.environ.get("LAMBDA_API_KEY") or "").strip()
        self._api_url = str(req.config.get("apiUrl") or DEFAULT_URL)

    @property
    def client(self) -> "LambdaClient":
        """The account; raises `NotConfiguredError` without a key."""
        # Only here: whoever sends nothing, as a preview and an update without changes, need not load it.
        from components.lambda_cloud.api.client import shared_client

        return shared_client(self._api_key, self._api_url)
