"""Asks the server what a client would: whether a token comes back to who has the key, and nothing to who has none.

`/health` says only that the process is up, and `/v1/models` answers before the engine does. Over TLS the certificate
is checked against the stack's own CA, under the name localhost.
"""

import http.client
import os
import socket
import ssl
import time
from collections.abc import Callable

from components.on_machine.service.generations import Generation
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
from components.on_machine.shared.paths import Places
from components.on_machine.tls.trust import Distrust, distrust_of

ANSWER_TIMEOUT_S = 300.0
"""For a first token, which may wait for a compiler; all else answers in a moment or is not there yet."""
QUICK_TIMEOUT_S = 5.0
LATER = frozenset({408, 425, 429})
"""Refusals that say nothing of the next request: clients of a server that comes back may be waiting in numbers."""

DISTRUST_S = 15.0
"""For so long a server may show a certificate that is not trusted: a new one takes seconds on its way into it."""

NOT_YET = (OSError, ValueError, LookupError, AttributeError, TypeError)
"""While the key file is written anew, or when somebody else answers on the port with something else."""


NO_ANSWER = Answer(0, b"", None)


class NotReadyError(Exception):
    """The server will not get ready; the text is one line."""


class TrustError(NotReadyError):
    """The server may be ready, and no client will find it out: they do not trust its certificate."""


class Probe:
    """A client of one setting's server, on this machine. `clock` is in seconds, and no setting of the date moves it."""

    def __init__(self, generation: Generation, places: Places, clock: Callable[[], float] = time.monotonic) -> None:
        self._generation = generation
        self._places = places
        self._clock = clock
        self._distrusted_since: float | None = None
        self.is_up = False
        """Somebody answered `/health`."""
        # Where several machines share one network stack, each has an address of its own to listen on.
        self._host = os.environ.get("BIND_ADDRESS", "127.0.0.1")

    def is_ready(self) -> bool:
        """True when a token came; `NotReadyError` when none will, or when anybody would get one."""
        self.is_up = self._ask("GET", HEALTH).status == http.client.OK
        if not self.is_up:
            return False
        listed = self._ask("GET", MODELS, with_key=True)
        if listed.status != http.client.OK:
            return False
        self._check_names(listed)
        if not self._gives_token():
            return False
        if self._ask("GET", MODELS).status == http.client.OK:
            raise NotReadyError("the server answers without the key and was stopped: see vllmArgs and vllmEnv")
        return True

    def distrust(self) -> Distrust | None:
        """Why the server's certificate is not trusted; None when it is, or when there is no server."""
        authority = self._places.authority.read_text()
        return distrust_of(self._host, self._generation.port, authority, "localhost", QUICK_TIMEOUT_S)

    def _check_trust(self) -> None:
        """After a refusal: `TrustError` when it was not the first one for long enough."""
        found = self.distrust()
        if found is None:
            self._distrusted_since = None
            return
        now = self._clock()
        if self._distrusted_since is None:
            self._distrusted_since = now
        if now - self._distrusted_since >= DISTRUST_S:
            raise TrustError(f"the server shows {found.why('this machine', 'localhost')}")

    def _check_names(self, listed: Answer) -> None:
        found = names(listed)
        if self._generation.model not in found:
            raise NotReadyError(f"the server lists {', '.join(found) or 'no model'}, not {self._generation.model}")

    def _gives_token(self) -> bool:
        request = token_request(self._generation.model)
        answer = self._ask("POST", COMPLETIONS, request, with_key=True, timeout_s=ANSWER_TIMEOUT_S)
        if 400 <= answer.status < 500 and answer.status not in LATER:
            detail = answer.body[:500].decode(errors="replace")
            raise NotReadyError(
                f"the server refused a completion of {self._generation.model}: {answer.status} {detail}"
            )
        return answer.status == http.client.OK and has_token(answer)

    def _ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        with_key: bool = False,
        timeout_s: float = QUICK_TIMEOUT_S,
    ) -> Answer:
        """The answer; `NO_ANSWER` when there is no whole one."""
        if not with_key:
            return self._send(method, path, body, None, timeout_s)
        key = self._key()
        answer = self._send(method, path, body, key, timeout_s)
        # The keys may have been replaced between the look at them and the answer.
        if answer.status == http.client.UNAUTHORIZED and (newer := self._key()) != key:
            answer = self._send(method, path, body, newer, timeout_s)
        return answer

    def _key(self) -> str:
        return self._places.api_keys.read_text().split()[0]

    def _send(self, method: str, path: str, body: bytes | None, key: str | None, timeout_s: float) -> Answer:
        connection = http.client.HTTPConnection(self._host, self._generation.port, timeout=timeout_s)
        try:
            connection.sock = self._connect(timeout_s)
            return ask(connection, method, path, body, key)
        except ssl.SSLCertVerificationError:
            self._check_trust()
            return NO_ANSWER
        except (OSError, http.client.HTTPException):
            return NO_ANSWER

    def _connect(self, timeout_s: float) -> socket.socket:
        plain = socket.create_connection((self._host, self._generation.port), timeout=QUICK_TIMEOUT_S)
        plain.settimeout(timeout_s)
        if not self._generation.has_tls:
            return plain
        try:
            context = ssl.create_default_context(cafile=str(self._places.authority))
            encrypted = context.wrap_socket(plain, server_hostname="localhost")
            self._distrusted_since = None
            return encrypted
        except OSError:
            plain.close()
            raise
