"""How Lambda's API is asked: one HTTP request, its answer as data or as an error, and when it is asked again.

A read is asked again after 429, 5xx, `provider/*`, 409 `global/internal-error` and lost connections, five times, with
exponential back-off and jitter. A write is asked again after 429 only, as the edge sends that before the API has seen
the request. After any other trouble with a write `NoAnswerError` or `ServerFaultError` is raised, and the caller has
to look before it asks again (`settle`).
"""

import random
from collections.abc import Callable, Hashable
from functools import cache
from typing import Any, TypeVar, cast

import requests
from pydantic import TypeAdapter, ValidationError
from urllib3.exceptions import LocationParseError

from components.lambda_cloud.api.clocks import ahead_s
from components.lambda_cloud.api.errors import (
    TRANSIENT,
    CloudError,
    NoAnswerError,
    NotFromApiError,
    RateLimitedError,
    api_error,
)
from components.lambda_cloud.api.limits import RateLimiter
from components.text.refused_certificate import refused_certificate
from components.text.user_agent import USER_AGENT

CONNECT_TIMEOUT_S = 10.0
ATTEMPTS = 5
LONGEST_BACKOFF_S = 30.0
# After a 429 the edge bans for a while; its length is not published.
BAN_IN_REQUEST_INTERVALS = 10.0

Parsed = TypeVar("Parsed")


class Transport:
    """Requests of one account. `url` is the root without `/api/v1`."""

    clock_ahead_s = 0.0
    """By how much this computer's clock is ahead of Lambda's, by its last answer; below 0 when it is behind."""

    def __init__(self, api_key: str, url: str, limiter: RateLimiter) -> None:
        self._clock = limiter.clock
        self._url = url.rstrip("/") + "/api/v1"
        self._limiter = limiter
        self._headers = {"Authorization": f"Bearer {api_key}", "Accept": "application/json", "User-Agent": USER_AGENT}

    def read(self, path: str, form: type[Parsed], what: str) -> Parsed:
        """GET, asked again while the trouble may pass. `what` names it in errors."""
        return self._again_after(TRANSIENT, lambda: self.ask("GET", path, form, what))

    def write(
        self, method: str, path: str, form: type[Parsed], what: str, body: dict[str, Any] | None = None
    ) -> Parsed:
        """Anything else, asked again after 429 only."""
        return self._again_after((RateLimitedError,), lambda: self.ask(method, path, form, what, body))

    def ask(
        self,
        method: str,
        path: str,
        form: type[Parsed],
        what: str,
        body: dict[str, Any] | None = None,
        timeout: float | None = None,
        wait: Callable[[], None] | None = None,
    ) -> Parsed:
        """One request, in seconds until its answer is given up. `wait` blocks until it may leave; it may raise."""
        (wait or self._limiter.wait_for_request)()
        sent = self._clock.now()
        try:
            # A connection each: one kept open may have been closed by the other side when it is needed again, and a
            # write lost by that cannot be told from one that was carried out.
            response = requests.request(
                method,
                self._url + path,
                json=body,
                headers=self._headers,
                timeout=(CONNECT_TIMEOUT_S, timeout or self._limiter.limits.timeout),
                # A redirected write may arrive as a read, or send the user data to another host.
                allow_redirects=method == "GET",
            )
        # requests lets urllib3's own error about a host such as `a..b` through.
        except (requests.ConnectTimeout, requests.exceptions.SSLError, LocationParseError) as error:
            why = refused_certificate(error, self._clock.now)
            why = f": {why}" if why else f" ({type(error).__name__}): check apiUrl"
            raise NotFromApiError(f"{what}: cannot reach {self._url}{why}") from None
        except requests.RequestException as error:
            raise NoAnswerError(f"{what}: no answer from {self._url} ({type(error).__name__})") from None
        found = ahead_s(response.headers.get("Date"), sent, self._clock.now())
        self.clock_ahead_s = self.clock_ahead_s if found is None else found
        try:
            return _parse(response, form, what)
        except RateLimitedError as trouble:
            # The ban is the account's: nothing else of it may ask meanwhile.
            ban = max(self._limiter.limits.request_interval * BAN_IN_REQUEST_INTERVALS, trouble.retry_after)
            self._limiter.hold(min(LONGEST_BACKOFF_S, ban * _jitter()))
            raise

    def _again_after(self, troubles: tuple[type[CloudError], ...], ask: Callable[[], Parsed]) -> Parsed:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return ask()
            except troubles:
                if attempt == ATTEMPTS:
                    raise
                self._back_off(attempt)
        raise AssertionError("unreachable")

    def _back_off(self, attempt: int) -> None:
        seconds = self._limiter.limits.request_interval * 2 ** (attempt - 1)
        self._clock.sleep(min(LONGEST_BACKOFF_S, seconds * _jitter()))


def _jitter() -> float:
    """Keeps several programs of one account from asking in step for ever."""
    return random.uniform(1.0, 1.5)  # noqa: S311 - not a secret


def _parse(response: requests.Response, form: type[Parsed], what: str) -> Parsed:
    if response.status_code == requests.codes.too_many_requests:
        raise RateLimitedError(
            f"{what}: too many requests to Lambda (429), perhaps by other programs of the account: run it again later",
            _seconds(response.headers.get("Retry-After")),
        )
    try:
        envelope = response.json()
    except ValueError:
        envelope = None
    if not isinstance(envelope, dict) or all(envelope.get(part) is None for part in ("data", "error")):
        message = f"{what}: HTTP {response.status_code} that Lambda's API did not write"
        # A write that was answered with 2xx or 5xx may have been carried out although the answer is of no use.
        kind = NotFromApiError if 300 <= response.status_code < 500 else NoAnswerError
        raise kind(message)
    if envelope.get("error") is not None:
        error = envelope["error"] if isinstance(envelope["error"], dict) else {}
        raise api_error(
            what,
            response.status_code,
            str(error.get("code", "unknown")),
            str(error.get("message", "")),
            error.get("suggestion"),
        )
    try:
        answer: Parsed = _adapter(cast(Hashable, form)).validate_python(envelope["data"])
        return answer
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise NoAnswerError(
            f"{what}: the answer is not as documented at {where or 'its root'}: {first['msg']}"
        ) from None


@cache
def _adapter(form: Any) -> TypeAdapter[Any]:
    """Reads answers of one form. To make it takes far longer than to read with it, and a wait asks again and again."""
    return TypeAdapter(form)


def _seconds(retry_after: str | None) -> float:
    """The header's number of seconds; whether Lambda's edge sends it is not known, and a date is not understood."""
    return float(retry_after) if retry_after and retry_after.isdecimal() else 0.0
