"""huggingface_hub as this program uses it: loaded by the first question, and kept from all that it was not asked to do.

What is used is its connection to a hub and its knowledge of refusals. `HfApi` stays unloaded: with it come jobs, spaces
and inference endpoints, which triple the time of loading, in every run. By itself the library (2.4.0) asks
huggingface.co, whatever the endpoint, for a list of agents, waits up to 3 s for it and keeps it in `HF_HOME`; with
`HF_HUB_OFFLINE` it asks nobody; and it has other certificate authorities than what this program asks Lambda with.
"""

import logging
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from components.model.hub.errors import Asked, no_way_out

if TYPE_CHECKING:
    import httpx2

CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 20.0
"""For the next bytes of an answer."""


@contextmanager
def opened(asked: Asked) -> Iterator[None]:
    """The library's connection to one hub, for any thread; one at a time, as the library has one client in a process.

    Raises:
        HubUnreachableError: the proxies or certificates that the environment names cannot be used.
    """
    from huggingface_hub import close_session, constants, get_session, set_client_factory

    constants.HF_HUB_DISABLE_TELEMETRY = True
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    set_client_factory(_client)
    try:
        get_session()
    except (ImportError, OSError, ValueError) as error:
        raise no_way_out(asked, error) from None
    try:
        yield
    finally:
        close_session()


def _client() -> "httpx2.Client":
    import httpx2

    # A renamed repository answers with a redirect to its present name.
    return httpx2.Client(follow_redirects=True, verify=_certificates(), event_hooks={"request": [_limit_time]})


def _limit_time(request: "httpx2.Request") -> None:
    """Set what the library's calls leave open, or have one number for."""
    request.extensions["timeout"] = {"connect": CONNECT_TIMEOUT_S, "read": READ_TIMEOUT_S, "write": READ_TIMEOUT_S}


def _certificates() -> ssl.SSLContext:
    """The authorities that are trusted for Lambda's API too."""
    path = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or DEFAULT_CA_BUNDLE_PATH
    return ssl.create_default_context(capath=path) if Path(path).is_dir() else ssl.create_default_context(cafile=path)
