"""What can go wrong with Lambda's API.

    CloudError                    everything below; its text is one line that says what to do
    ├── NotConfiguredError        no API key
    ├── NoAnswerError             the request may or may not have been carried out: look before asking again
    ├── NotFromApiError           an answer that Lambda's API did not write (proxy, edge, broken body)
    │   └── RateLimitedError      429 by the edge: the API never saw the request
    └── ApiError                  the API's own error envelope, with its code
        ├── InvalidKeyError       401
        ├── NotFoundError         404, or 400 for an object named in a request
        ├── InsufficientCapacityError
        ├── InUseError            a key, ruleset or filesystem that an instance still holds
        └── ServerFaultError      5xx, `provider/*`, 409 `global/internal-error`

Codes and status: Lambda Cloud API 1.10.0. `ssh-keys/key-in-use` is from older documents, its text was seen in 2026.
"""

import re

from components.dynamic.errors import ProviderError

LONGEST_TEXT = 300
_PRIVATE_KEY = re.compile(r"-----BEGIN.*?(-----END[^-]*-----|$)", re.DOTALL)


class CloudError(ProviderError):
    """Root of all errors of this package."""


class NotConfiguredError(CloudError):
    """There is no API key to work with."""


class NoAnswerError(CloudError):
    """The connection ended before an answer came: the request may have been carried out."""


class NotFromApiError(CloudError):
    """The answer is not in the API's form."""


class RateLimitedError(NotFromApiError):
    """HTTP 429, which the edge in front of the API sends, not as JSON. `retry_after` is in seconds, 0 when not said."""

    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ApiError(CloudError):
    """An error that the API sent.

    `status` is the HTTP status, `code` the API's own (`global/quota-exceeded`); branch on `code` alone, as the texts
    may change at any time.
    """

    def __init__(self, what: str, status: int, code: str, message: str, suggestion: str | None = None) -> None:
        self.status = status
        self.code = code
        parts = [f"{what}: {one_line(message) or 'no message'} ({status} {code})"]
        if suggestion:
            parts.append(one_line(suggestion))
        super().__init__(" ".join(parts))


class InvalidKeyError(ApiError):
    """The API key is missing, wrong, expired or deleted."""


class NotFoundError(ApiError):
    """The object does not exist, or no more."""


class InsufficientCapacityError(ApiError):
    """The cloud has no such machine there now: the one error of a launch after which another candidate is tried."""


class InUseError(ApiError):
    """Something still holds the object; it usually goes within minutes of the instance's end."""


class ServerFaultError(ApiError):
    """A fault on the cloud's side; reads are asked again."""


TRANSIENT = (NoAnswerError, NotFromApiError, ServerFaultError)
"""Trouble that passes: a read may be asked again, and after a write a look tells what became of it."""


def one_line(text: str) -> str:
    """A text of the API, fit to be shown: the API may repeat what it was sent, a host key in the user data included."""
    without_keys = _PRIVATE_KEY.sub("[secret]", text.replace("\\n", "\n"))
    return " ".join(without_keys.split())[:LONGEST_TEXT]


_BY_CODE: dict[str, type[ApiError]] = {
    "global/invalid-api-key": InvalidKeyError,
    "global/object-does-not-exist": NotFoundError,
    "global/not-found": NotFoundError,
    "instance-operations/launch/insufficient-capacity": InsufficientCapacityError,
    "ssh-keys/key-in-use": InUseError,
    "filesystems/filesystem-in-use": InUseError,
    "firewall-rulesets/firewall-ruleset-in-use": InUseError,
    "global/internal-error": ServerFaultError,
}


def api_error(what: str, status: int, code: str, message: str, suggestion: str | None) -> ApiError:
    """The most telling class of error for an envelope."""
    kind = _BY_CODE.get(code)
    if kind is None and (status >= 500 or code.startswith("provider/")):
        kind = ServerFaultError
    # The code of a key in use is not in the published document; its text is.
    if kind is None and status == 400 and "in use" in message.lower():
        kind = InUseError
    if code == "global/quota-exceeded":
        suggestion = f"{suggestion or ''} Terminate what you do not need, or ask Lambda's support for a higher quota."
    if kind is InvalidKeyError:
        suggestion = f"{suggestion or ''} Set LAMBDA_API_KEY, or the secret lambdaApiKey, to a key that is valid."
    return (kind or ApiError)(what, status, code, message, suggestion)
