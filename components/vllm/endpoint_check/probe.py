"""The endpoint as a client on this computer sees it: TLS, the key, the model's name, one token."""

import http.client
import socket
import ssl
import time
from dataclasses import dataclass

from components.dynamic.errors import ProviderError
from components.on_machine.shared.conversation import (
    COMPLETIONS,
    HEALTH,
    MODELS,
    Answer,
    ask,
    has_token,
    names,
    token_request,
)
from components.on_machine.tls.trust import Clock, date_of, distrust_of

CONNECT_TIMEOUT_S = 4.0
ANSWER_TIMEOUT_S = 15.0
TOKEN_TIMEOUT_S = 120.0
"""Other people's requests may come first."""
POLL_S = 1.0


class EndpointError(ProviderError):
    """The endpoint answers, and not as it should."""


class SilentError(EndpointError):
    """The connection was not made, or ended before an answer came."""


@dataclass(frozen=True)
class Expected:
    """What a client has to find."""

    model: str
    api_key: str
    ca_certificate: str
    """PEM; empty for plain HTTP."""


def takes_connection(address: str, port: int, timeout_s: float = CONNECT_TIMEOUT_S) -> bool:
    """Whether something accepts a TCP connection there; a closed firewall drops it without a word."""
    try:
        with socket.create_connection((address, port), timeout_s):
            return True
    except OSError:
        return False


def accepts(address: str, port: int, patience_s: float) -> bool:
    """True when something accepts a TCP connection there; asked again for `patience_s`."""
    deadline = time.monotonic() + patience_s
    while not takes_connection(address, port):
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_S)
    return True


def stays_open(address: str, port: int, patience_s: float) -> bool:
    """True when the port still accepts after `patience_s`: a firewall that closes takes a moment."""
    deadline = time.monotonic() + patience_s
    while takes_connection(address, port):
        if time.monotonic() >= deadline:
            return True
        time.sleep(POLL_S)
    return False


def probe(address: str, port: int, expected: Expected, clock: Clock = time.time) -> float:
    """Ask as a client does; by how many seconds this computer's clock is ahead of the machine's, 0 when it says none.

    `EndpointError` with the first thing that is not as it should be, `SilentError` when no answer comes.
    """
    client = _Client(address, port, expected, clock)
    client.ask("GET", HEALTH, 200)
    ahead = client.ahead_s
    listed = client.ask("GET", MODELS, 200, with_key=True)
    if expected.model not in _names(listed):
        raise EndpointError(f"{client.url}{MODELS} does not name {expected.model}: run `pulumi up` again")
    if not has_token(client.ask("POST", COMPLETIONS, 200, token_request(expected.model), with_key=True)):
        raise EndpointError(f"{client.url}{COMPLETIONS} gave no token: see the server's log on the machine")
    client.ask("GET", MODELS, 401)
    return ahead


def _names(listed: Answer) -> list[str]:
    try:
        return names(listed)
    except ValueError:
        return []


class _Client:
    """Requests to one server, each on a connection of its own."""

    def __init__(self, address: str, port: int, expected: Expected, clock: Clock) -> None:
        self._address, self._port = address, port
        self._clock = clock
        self.ahead_s = 0.0
        """By the last answer."""
        self._key, self._authority = expected.api_key, expected.ca_certificate
        # Nothing else is trusted, whatever this computer trusts otherwise.
        self._trust = ssl.create_default_context(cadata=expected.ca_certificate) if expected.ca_certificate else None
        self.url = f"{'https' if self._trust else 'http'}://{address}:{port}"

    def ask(self, method: str, path: str, right: int, body: bytes | None = None, *, with_key: bool = False) -> Answer:
        """The answer, which has the right status. The key is in no error."""
        connection = self._connection(ANSWER_TIMEOUT_S if body is None else TOKEN_TIMEOUT_S)
        try:
            answer = ask(connection, method, path, body, self._key if with_key else None)
        except ssl.SSLCertVerificationError as error:
            raise EndpointError(f"{self.url} {self._shows(error)}") from None
        except (OSError, http.client.HTTPException) as error:
            raise SilentError(
                f"{self.url}{path} gives no answer ({type(error).__name__}): run `pulumi up` again"
            ) from None
        there = date_of(answer.date)
        self.ahead_s = 0.0 if there is None else self._clock() - there
        if answer.status != right:
            with_or_without = "with" if with_key else "without"
            raise EndpointError(
                f"{self.url}{path} answers {answer.status} {with_or_without} the key, and {right} is right: "
                "see vllmArgs and vllmEnv, and the server's log on the machine"
            )
        return answer

    def _shows(self, error: ssl.SSLCertVerificationError) -> str:
        """What is wrong with its certificate."""
        authority, name = self._authority, self._address
        found = distrust_of(self._address, self._port, authority, name, CONNECT_TIMEOUT_S, self._clock)
        # By now it may be another one.
        why = found.why("this computer", name) if found else f"another certificate at times ({error.verify_message})"
        return f"shows {why}"

    def _connection(self, timeout_s: float) -> http.client.HTTPConnection:
        if self._trust is None:
            return http.client.HTTPConnection(self._address, self._port, timeout=timeout_s)
        return http.client.HTTPSConnection(self._address, self._port, timeout=timeout_s, context=self._trust)
