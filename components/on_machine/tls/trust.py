"""Why a client does not trust the certificate of a stack's server, in one line that says what to do.

A certificate that does not count yet looks like a server that is not up yet, to who sees only that no answer comes. So
who is refused by the check looks once more without the one check that failed, and with all others.
Used on the user's computer, and by the machine's own Python 3.10 or newer.
"""

import http.client
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

BACKDATED_S = 30 * 24 * 3600
"""A stack's certificates count from so long before they are made."""
TELLING_S = 300.0
"""Clocks that differ by less cannot be told from a slow answer, and do no harm."""

_NOT_YET_VALID, _EXPIRED = 9, 10
_OTHER_NAME = frozenset({62, 64})
"""X509_V_ERR_… of OpenSSL's x509_vfy.h: hostname, IP address."""
_NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of the same, since OpenSSL 1.1.0."""

_BEHIND = "the clock of the computer that ran `pulumi up` is behind: set it, then run `pulumi up` again"

Clock = Callable[[], float]
"""Seconds since 1970."""
Shake = Callable[[ssl.SSLContext, bool], "tuple[dict[str, Any], float | None]"]
"""Shakes hands as a client: what the certificate says, and, if that is asked for, the server's clock where it tells.
`ssl.SSLError` and other `OSError`."""


@dataclass(frozen=True)
class Distrust:
    """Why a certificate is refused. Times are in seconds since 1970."""

    code: int
    message: str
    """OpenSSL's."""
    begins: float | None = None
    ends: float | None = None
    names: tuple[str, ...] = ()
    server_clock: float | None = None
    """By the server's own word, after it has shown that it is the one."""
    asked_at: float = 0.0

    def why(self, here: str, wanted: str, just_made: bool = False) -> str:
        """What is shown, and what to do, without a beginning. `here` has the clock that was asked, such as `this
        computer`; `wanted` is the name under which the server was asked. One that was `just_made` by `pulumi up` has
        not ended: the clock there is wrong."""
        if self.code in (_NOT_YET_VALID, _EXPIRED) and (self.begins is None or self.ends is None):
            return f"a certificate that is refused ({self.message}), and does not say more: run `pulumi up` again"
        if self.code == _NOT_YET_VALID and self.begins is not None:
            return (
                f"a certificate that counts from {utc(self.begins)} on, and {here}'s clock says {utc(self.asked_at)}: "
                f"{self._whose_clock(here, self.begins)}"
            )
        if self.code == _EXPIRED and self.ends is not None:
            return (
                f"a certificate that ended on {utc(self.ends)}, and {here}'s clock says {utc(self.asked_at)}: "
                f"{_BEHIND if just_made else self._whose_clock(here, None)}"
            )
        if self.code in _OTHER_NAME:
            named = ", ".join(self.names) or "another address"
            return f"a certificate that is this stack's, for {named}, and not for {wanted}: run `pulumi up` again"
        return (
            f"a certificate that is not this stack's ({self.message}): is something else at this address? If not, run "
            "`pulumi up` again"
        )

    def _whose_clock(self, here: str, begins: float | None) -> str:
        """Which clock to set. The machine's is taken for right, since the data centre sets it."""
        skew = 0.0 if self.server_clock is None else self.asked_at - self.server_clock
        if abs(skew) > TELLING_S and self._counts_there():
            return f"{here}'s clock is {offset(skew)} the machine's: set it"
        if begins is None:
            return "`pulumi up` makes another one"
        asked_at = self.asked_at - skew
        ahead = offset(begins + BACKDATED_S - asked_at)
        return f"the clock of the computer that ran `pulumi up` is {ahead} that: set it, then run `pulumi up` again"

    def _counts_there(self) -> bool:
        """Whether it is good by the server's clock, so that only another clock can be the reason."""
        if self.server_clock is None or self.begins is None or self.ends is None:
            return False
        return self.begins <= self.server_clock <= self.ends


def distrust_of(
    host: str, port: int, authority: str, name: str, timeout_s: float, clock: Clock = time.time
) -> Distrust | None:
    """Why a client that knows `authority` (PEM) alone refuses the server at an address, asked under that name.

    None when it does not, and when there is no server that speaks TLS.
    """

    def shake(context: ssl.SSLContext, asks_time: bool) -> "tuple[dict[str, Any], float | None]":
        with (
            socket.create_connection((host, port), timeout_s) as plain,
            context.wrap_socket(plain, server_hostname=name) as encrypted,
        ):
            said = encrypted.getpeercert() or {}
            return said, _clock_of(encrypted, name) if asks_time else None

    return distrust(authority, shake, clock)


def distrust(authority: str, shake: Shake, clock: Clock) -> Distrust | None:
    """The same for a server to which `shake` leads."""
    if not authority:
        # Python would trust all authorities of the computer.
        return None
    try:
        trusting = ssl.create_default_context(cadata=authority)
        shake(trusting, False)
        return None
    except ssl.SSLCertVerificationError as error:
        code, message = error.verify_code, str(error.verify_message)
    except (OSError, ValueError, TypeError):
        # Also of an authority that is no certificate, which others will say.
        return None
    trusting.check_hostname = False
    trusting.verify_flags |= _NO_CHECK_TIME
    asked_at, said, server_clock = clock(), dict[str, Any](), None
    with suppress(OSError):
        # Nothing is said to a server of another authority, not even a question.
        said, server_clock = shake(trusting, True)
    # Which of the two has the wrong time, OpenSSL does not say.
    both = [said, *trusting.get_ca_certs()] if said else []
    begins = [ssl.cert_time_to_seconds(str(one["notBefore"])) for one in both]
    ends = [ssl.cert_time_to_seconds(str(one["notAfter"])) for one in both]
    names = tuple(str(value) for _, value in said.get("subjectAltName", ()))
    return Distrust(code, message, max(begins, default=None), min(ends, default=None), names, server_clock, asked_at)


def _clock_of(encrypted: ssl.SSLSocket, name: str) -> float | None:
    """The `Date` of an answer."""
    connection = http.client.HTTPConnection(name)
    connection.sock = encrypted
    try:
        connection.request("GET", "/health", headers={"Connection": "close"})
        return date_of(connection.getresponse().getheader("Date"))
    except (OSError, http.client.HTTPException):
        return None


def date_of(header: str | None) -> float | None:
    """Seconds since 1970 of an HTTP date; None when it is none."""
    try:
        return parsedate_to_datetime(header).timestamp() if header else None
    except (ValueError, TypeError):
        return None


def shake_hands_with(file: Path, name: str) -> Shake:
    """With a server that would show the certificate of a file, in memory. `OSError` when it could not be one."""

    def shake(context: ssl.SSLContext, _asks_time: bool) -> "tuple[dict[str, Any], float | None]":
        serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        serving.load_cert_chain(file)
        to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = context.wrap_bio(to_client, to_server, server_hostname=name)
        server = serving.wrap_bio(to_server, to_client, server_side=True)
        for side in (client, server, client):
            with suppress(ssl.SSLWantReadError):
                side.do_handshake()
        return client.getpeercert() or {}, None

    return shake


def offset(seconds: float) -> str:
    """How far one clock is from another, such as `2 h 00 min ahead of`."""
    minutes = round(abs(seconds) / 60)
    whole_days = minutes // 1440
    days = f"{whole_days} day{'s' if whole_days > 1 else ''} " if whole_days else ""
    return f"{days}{minutes % 1440 // 60} h {minutes % 60:02} min {'ahead of' if seconds > 0 else 'behind'}"


def utc(seconds: float) -> str:
    """A moment for people."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))
