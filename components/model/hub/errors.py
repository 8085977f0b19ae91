"""What a hub's refusal means to the user: one line with what to do and where to click.

huggingface_hub tells the refusals apart (`hf_raise_for_status`). Where one class stands for several, the status and
the texts of `X-Error-Message` do, as huggingface.co sends them and as users of 2.4 report them.
"""

import re
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from requests.utils import get_environ_proxies, select_proxy

from components.text.refused_certificate import refused_certificate

if TYPE_CHECKING:
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError

LONGEST_QUOTE = 200
"""Characters of a server's own words that are shown."""


class HubError(Exception):
    """The model cannot be had; one line that says why and what to do, with the page to click."""


class HubUnreachableError(HubError):
    """The hub did not answer as it does when it is well: it passes, and nothing is known about the model."""


class HubRateLimitError(HubUnreachableError):
    """429: asking again at once would make it worse."""


class NoSuchFileError(HubError):
    """The commit does not have the file."""


@dataclass(frozen=True)
class Asked:
    """What was wanted from which hub, for the errors."""

    hub: str
    """URL without a slash at its end."""
    model: str
    revision: str
    has_token: bool

    @property
    def page(self) -> str:
        """Where the model's licence is accepted and its access requests are shown."""
        return f"{self.hub}/{self.model}"

    @property
    def token_settings(self) -> str:
        """Where tokens are made and given rights."""
        return f"{self.hub}/settings/tokens"

    def not_a_hub(self) -> HubError:
        """An answer that no hub gives."""
        return HubError(f"{self.hub} does not answer as a Hugging Face hub does: check hfEndpoint")

    def missing(self) -> HubError:
        """A name that the hub does not know, or does not show."""
        seen = "your token cannot see it" if self.has_token else "it is private and no token was given"
        return HubError(f"model {self.model} does not exist on {self.hub}, or {seen}: check `model` at {self.page}")


def unreachable(asked: Asked, error: Exception) -> HubUnreachableError:
    """No answer at all; the error's own text may hold URLs with secrets and is not shown."""
    if refused := refused_certificate(error, time.time):
        return HubUnreachableError(f"cannot reach the hub at {asked.hub}: {refused}")
    settings = "hfEndpoint and the proxy settings" if _goes_through_a_proxy(asked.hub) else "hfEndpoint"
    return HubUnreachableError(f"cannot reach the hub at {asked.hub} ({type(error).__name__}): check {settings}")


def _goes_through_a_proxy(url: str) -> bool:
    try:
        return select_proxy(url, get_environ_proxies(url)) is not None
    except ValueError:
        # No URL at all.
        return False


def no_way_out(asked: Asked, error: Exception) -> HubUnreachableError:
    """Nothing can be asked from this computer; the error's own text may hold URLs with secrets and is not shown."""
    return HubUnreachableError(
        f"cannot ask the hub at {asked.hub} ({type(error).__name__}): check the proxies (HTTPS_PROXY, ALL_PROXY) and "
        "certificates (REQUESTS_CA_BUNDLE) that the environment names"
    )


def refusal(asked: Asked, error: "HfHubHTTPError | httpx2.HTTPStatusError") -> HubError:
    """The error for an answer that is no success."""
    from huggingface_hub.errors import (
        DisabledRepoError,
        GatedRepoError,
        RemoteEntryNotFoundError,
        RevisionNotFoundError,
    )

    answer = error.response
    status, code, text = answer.status_code, answer.headers.get("X-Error-Code", ""), _message(answer)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return HubRateLimitError(_rate_limited(asked, answer))
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return HubUnreachableError(f"the hub at {asked.hub} is in trouble ({status}): run the same command again later")
    if not code and _is_a_page(answer):
        return HubError(
            f"something between here and {asked.hub} answered {status} with a page of its own: "
            "check the proxy settings and hfEndpoint"
        )
    if isinstance(error, GatedRepoError):
        return HubError(_gated(asked, status, text))
    if isinstance(error, DisabledRepoError):
        return HubError(f"model {asked.model} was disabled by the hub and nobody can download it: see {asked.page}")
    if isinstance(error, RemoteEntryNotFoundError):
        return NoSuchFileError(f"model {asked.model} lists a file that it does not have: see {asked.page}/tree/main")
    if isinstance(error, RevisionNotFoundError):
        branches = f"{asked.page}/tree/main"
        return HubError(f"model {asked.model} has no revision {asked.revision}: check modelRevision against {branches}")
    return _refused(asked, status, code, text)


def _refused(asked: Asked, status: int, code: str, text: str) -> HubError:
    """Those that the library does not tell apart: to it a 401 is a missing repository, whatever the token."""
    if code == "RepoNotFound" or status == HTTPStatus.NOT_FOUND:
        return asked.missing()
    if status == HTTPStatus.UNAUTHORIZED:
        # Without a token this is also what is said of a repository that does not exist.
        return HubError(_token_refused(asked, text)) if asked.has_token else asked.missing()
    if status == HTTPStatus.FORBIDDEN:
        return HubError(_forbidden(asked, text))
    return HubError(f"the hub answered {status} for {asked.model}: {text or 'no message'}; see {asked.page}")


def _gated(asked: Asked, status: int, text: str) -> str:
    if status == HTTPStatus.UNAUTHORIZED:
        return (
            f"model {asked.model} is gated and no token was given: accept its licence at {asked.page}, then set "
            f"HF_TOKEN to a token from {asked.token_settings}"
        )
    if "awaiting a review" in text:
        return f"model {asked.model} is gated and its owners have not answered your request yet: see {asked.page}"
    if "rejected" in text:
        return (
            f"model {asked.model} is gated and its owners rejected your request: see {asked.page}, or choose another "
            "`model`"
        )
    return f"model {asked.model} is gated and your token has no access: accept its licence at {asked.page}"


def _token_refused(asked: Asked, text: str) -> str:
    why = "the token has expired" if "expired" in text else "the hub refused the token"
    return f"{why}: make a new one at {asked.token_settings} and set HF_TOKEN or hfToken to it"


def _forbidden(asked: Asked, text: str) -> str:
    if "fine-grained" in text and "gated" in text:
        return (
            f"your fine-grained token may not read gated repositories such as {asked.model}: at {asked.token_settings} "
            'edit it and allow "Read access to contents of all public gated repos you can access"'
        )
    said = f" ({text})" if text else ""
    return f"the hub forbids {asked.model} to this token{said}: check the token's rights at {asked.token_settings}"


def _rate_limited(asked: Asked, answer: "httpx2.Response") -> str:
    seconds = _seconds_to_wait(answer)
    when = f"in {seconds} s" if seconds is not None else "in some minutes"
    more = "" if asked.has_token else "; with HF_TOKEN set the limit is higher"
    return f"the hub at {asked.hub} was asked too often from here (429): run the same command again {when}{more}"


def _seconds_to_wait(answer: "httpx2.Response") -> int | None:
    """From `Retry-After`, or from the `t` of the IETF draft's `RateLimit: "api";r=0;t=55`, which the hub sends."""
    texts = (answer.headers.get("Retry-After", ""), answer.headers.get("RateLimit", ""))
    for text, pattern in zip(texts, (r"\s*(\d{1,6})\s*", r".*;\s*t=(\d{1,6})\b.*"), strict=True):
        if found := re.fullmatch(pattern, text):
            return int(found[1])
    return None


def _is_a_page(answer: "httpx2.Response") -> bool:
    """Whether this is HTML, which the hub never sends to programs without saying why in a header."""
    return "X-Error-Message" not in answer.headers and "text/html" in answer.headers.get("Content-Type", "")


def _message(answer: "httpx2.Response") -> str:
    """What the hub says, as one short line: from the header, or from the JSON that the API sends as well."""
    text = answer.headers.get("X-Error-Message")
    if text is None and "json" in answer.headers.get("Content-Type", ""):
        try:
            text = str(answer.json()["error"])
        except (ValueError, LookupError, TypeError):
            text = None
    return " ".join((text or "").split())[:LONGEST_QUOTE]
