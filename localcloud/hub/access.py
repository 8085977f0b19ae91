"""Who asks, and what he may read."""

import hmac
from dataclasses import dataclass
from enum import Enum, auto

from localcloud.account.credentials import Credentials
from localcloud.hub import refusals
from localcloud.hub.catalog import ModelSpec


@dataclass(frozen=True)
class HubTokens:
    """The only tokens that the hub knows; all start with `hf_`, and one that is empty is never given out."""

    with_access: str
    """Its owner has accepted the licence of every gated repository, and may change repositories."""
    without_access: str
    """Its owner has accepted none."""
    awaiting_review: str = ""
    """Its owner has asked for access to all of them and waits for an answer."""
    fine_grained: str = ""
    """Its owner has accepted every licence, but the token was not given the right to read gated repositories."""


def hub_tokens(credentials: Credentials) -> HubTokens:
    """The tokens of an account."""
    return HubTokens(
        with_access=credentials.hf_token,
        without_access=credentials.hf_token_without_access,
        awaiting_review=credentials.hf_token_awaiting_review,
        fine_grained=credentials.hf_token_fine_grained,
    )


class Caller(Enum):
    """Somebody who sends a request."""

    ANONYMOUS = auto()
    WITHOUT_ACCESS = auto()
    AWAITING_REVIEW = auto()
    FINE_GRAINED = auto()
    WITH_ACCESS = auto()


OWNERS = {
    Caller.WITHOUT_ACCESS: "unlicensed",
    Caller.AWAITING_REVIEW: "waiting",
    Caller.FINE_GRAINED: "licensed",
    Caller.WITH_ACCESS: "licensed",
}
"""User names of those who have a token."""


def identify(authorization: str | None, tokens: HubTokens) -> Caller:
    """Say who sent the `Authorization` header.

    Raises:
        HubRefusalError: the header is there, but carries no token of the hub.
    """
    if authorization is None:
        return Caller.ANONYMOUS
    for token, caller in (
        (tokens.with_access, Caller.WITH_ACCESS),
        (tokens.without_access, Caller.WITHOUT_ACCESS),
        (tokens.awaiting_review, Caller.AWAITING_REVIEW),
        (tokens.fine_grained, Caller.FINE_GRAINED),
    ):
        if token and hmac.compare_digest(authorization.encode(), f"Bearer {token}".encode()):
            return caller
    raise refusals.invalid_token()


def require_access(model: ModelSpec, caller: Caller) -> None:
    """Let `caller` at the files of `model`. Only files are gated: metadata and listings of a gated model are public.

    Raises:
        HubRefusalError: the model is gated, and this is not the token of somebody who was let in.
    """
    if model.gated is False or caller is Caller.WITH_ACCESS:
        return
    if caller is Caller.ANONYMOUS:
        raise refusals.gated_without_token(model)
    if caller is Caller.AWAITING_REVIEW:
        raise refusals.gated_awaiting_review(model)
    if caller is Caller.FINE_GRAINED:
        raise refusals.gated_for_fine_grained_token()
    raise refusals.gated_without_licence(model)


def require_write(caller: Caller) -> None:
    """Let `caller` change a repository.

    Raises:
        HubRefusalError: it has no token, or one that may only read.
    """
    if caller is Caller.ANONYMOUS:
        raise refusals.not_logged_in()
    if caller is not Caller.WITH_ACCESS:
        raise refusals.read_only()
