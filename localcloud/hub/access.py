"""Who asks, and what he may read."""

import hmac
from dataclasses import dataclass
from enum import Enum, auto

from localcloud.hub.catalog import ModelSpec
from localcloud.hub.refusals import gated_without_licence, gated_without_token, invalid_token


@dataclass(frozen=True)
class HubTokens:
    """The only two tokens that the hub knows; both start with `hf_`."""

    with_access: str
    """Its owner has accepted the licence of every gated repository."""
    without_access: str
    """Its owner has accepted none."""


class Caller(Enum):
    """Somebody who sends a request."""

    ANONYMOUS = auto()
    WITHOUT_ACCESS = auto()
    WITH_ACCESS = auto()


def identify(authorization: str | None, tokens: HubTokens) -> Caller:
    """Say who sent the `Authorization` header.

    Raises:
        HubRefusalError: the header is there, but carries neither token.
    """
    if authorization is None:
        return Caller.ANONYMOUS
    for token, caller in ((tokens.with_access, Caller.WITH_ACCESS), (tokens.without_access, Caller.WITHOUT_ACCESS)):
        if hmac.compare_digest(authorization.encode(), f"Bearer {token}".encode()):
            return caller
    raise invalid_token()


def require_access(model: ModelSpec, caller: Caller) -> None:
    """Let `caller` at the files of `model`. Only files are gated: metadata and listings of a gated model are public.

    Raises:
        HubRefusalError: the model is gated and the caller has no token, or has not accepted the licence.
    """
    if model.gated is False or caller is Caller.WITH_ACCESS:
        return
    if caller is Caller.ANONYMOUS:
        raise gated_without_token(model)
    raise gated_without_licence(model)
