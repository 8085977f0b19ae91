"""The endpoint as a client on this computer sees it: TLS, the key, the model's name, one token."""

import http.client
import json
import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from components.lambda_cloud.api.errors import CloudError
from components.vllm.scripts.trust import Clock, date_of, distrust_of

CONNECT_TIMEOUT_S = 4.0
ANSWER_TIMEOUT_S = 15.0
TOKEN_TIMEOUT_S = 120.0
"""Other people's requests may come first."""
POLL_S = 1.0


class EndpointError(CloudError):
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
    client.ask("GET", "/health", [200])
    ahead = client.ahead_s
    listed = client.ask("GET", "/v1/models", [200], with_key=True)
    names = [one.get("id") for one in _list(listed, "data")]
    if expected.model not in names:
        raise EndpointError(f"{client.url}/v1/models does not name {expected.model}: run `pulumi up` again")
    body = {"model": expected.model, "prompt": "Hello", "max_tokens": 1}
    if not _list(client.ask("POST", "/v1/completions", [200], body, with_key=True), "choices"):
        raise EndpointError(f"{client.url}/v1/completions gave no token: see the server's log on the machine")
    client.ask("GET", "/v1/models", [401])
    return ahead


def _list(answer: Any, name: str) -> Sequence[Any]:
    found = answer.get(name) if isinstance(answer, dict) else None
    return found if isinstance(found, list) else []


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

    def ask(self, method: str, path: str, allowed: Sequence[int], body: Any = None, *, with_key: bool = False) -> Any:
        """The answer as JSON, None when it is none. The key is in no error."""
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if with_key:
            headers["Authorization"] = f"Bearer {self._key}"
        connection = self._connection(ANSWER_TIMEOUT_S if body is None else TOKEN_TIMEOUT_S)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read()
        except ssl.SSLCertVerificationError as error:
            raise EndpointError(f"{self.url} {self._shows(error)}") from None
        except (OSError, http.client.HTTPException) as error:
            raise SilentError(
                f"{self.url}{path} gives no answer ({type(error).__name__}): run `pulumi up` again"
            ) from None
        finally:
            connection.close()
        there = date_of(answer.getheader("Date"))
        self.ahead_s = 0.0 if there is None else self._clock() - there
        if answer.status not in allowed:
            with_or_without = "with" if with_key else "without"
            raise EndpointError(
                f"{self.url}{path} answers {answer.status} {with_or_without} the key, and {allowed[0]} is right: "
                "see vllmArgs and vllmEnv, and the server's log on the machine"
            )
        try:
            return json.loads(text)
        except ValueError:
            return None

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
