"""Puts the server's certificate in its place, and sees that a server that runs shows it.

One that clients would refuse by this machine's clock is not put there: it was made by another clock.

vLLM 0.32 watches the file that it has opened and not its name (watchfiles 1.3.0 on Linux): a new file that is renamed
into its place is noticed once and never again. So the file stays the same one. It is a page of memory long, filled up
with line breaks, and is written over by one call, so that a reader gets the old certificate or the new one. ext4 does
not promise it: in a loop that only reads, about 3 of 100,000 got parts of both. vLLM reads after a write and not during
it, goes on watching when it could not load what it read, and is given the file again as long as it shows another.
"""

import os
import socket
import ssl
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from components.on_machine.shared.files import replace_file
from components.on_machine.shared.paths import Places
from components.on_machine.shared.work import WorkError, say
from components.on_machine.tls.trust import Clock, distrust, shake_hands_with

PAGE = 4096
BEGIN = "-----BEGIN CERTIFICATE-----"

SHOWN_WITHIN_S = 90.0
"""vLLM collects changes for up to 1.6 s, and its event loop may be busy."""
WRITE_AGAIN_S = 5.0
"""A server that had just read the old file, and did not watch it yet, misses the first write."""
POLL_S = 0.3
TIMEOUT_S = 10.0


def write_over(file: Path, text: str) -> None:
    """Change what the file holds, in one step; the file itself stays the same one, if it is there."""
    page = text.encode().ljust(PAGE, b"\n")
    if len(page) > PAGE:
        raise certificate_error(
            f"the certificate takes {len(page)} bytes, more than the {PAGE} that are written at once"
        )
    if file.is_file() and file.stat().st_size == PAGE:
        _write_page(file, page)
    else:
        replace_file(file, page.decode())


def _write_page(file: Path, content: bytes) -> None:
    descriptor = os.open(file, os.O_WRONLY)
    try:
        if os.write(descriptor, content) != len(content):
            raise certificate_error(f"{file} could not be written whole: is the disk full?")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def shown(address: str, port: int) -> bytes | None:
    """The certificate (DER) that a server shows there; empty when it does not get to that, None without TLS."""
    try:
        return ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate((address, port), timeout=TIMEOUT_S))
    except ConnectionRefusedError:
        return None
    except (OSError, ValueError):
        return None if speaks_plainly(address, port) else b""


def speaks_plainly(address: str, port: int) -> bool:
    """True for a server that was started without TLS; it will be started anew."""
    try:
        with socket.create_connection((address, port), TIMEOUT_S) as connection:
            connection.settimeout(TIMEOUT_S)
            connection.sendall(b"GET /health HTTP/1.0\r\n\r\n")
            return connection.recv(5) == b"HTTP/"
    except OSError:
        return False


def wait_until_shown(
    address: str,
    port: int,
    file: Path,
    bundle: str,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """True when a server shows the certificate, False when none runs; `WorkError` when one does not take it."""
    wanted = ssl.PEM_cert_to_DER_cert(certificates(bundle)[0])
    began = written = monotonic()
    while (found := shown(address, port)) != wanted:
        if found is None:
            return False
        now = monotonic()
        if now - began > SHOWN_WITHIN_S:
            raise certificate_error(
                f"the server on port {port} still shows another certificate after {SHOWN_WITHIN_S:.0f} s: run "
                "`pulumi up` again, or `systemctl --user restart lambda-vllm` on the machine"
            )
        if now - written >= WRITE_AGAIN_S:
            written = now
            write_over(file, bundle)
        sleep(POLL_S)
    return True


def certificates(bundle: str) -> list[str]:
    """Its certificates in their order: the server's, then the authority's."""
    found = [BEGIN + part for part in bundle.split(BEGIN)[1:]]
    if len(found) != 2:
        raise certificate_error("the input has to be a key, its certificate, and the authority's certificate")
    return found


def check(bundle: str, clock: Clock) -> None:
    """Be the client of a server that shows it; `WorkError` when that is not trusted."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "tls.pem"
        replace_file(file, bundle)
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(file)
        except ssl.SSLError:
            raise certificate_error("key and certificate cannot be read, or do not belong together") from None
        found = distrust(certificates(bundle)[1], shake_hands_with(file, "localhost"), clock)
    if found:
        raise certificate_error(f"the server would show {found.why('this machine', 'localhost', just_made=True)}")


def put(bundle: str, port: int, places: Places, clock: Clock = time.time) -> None:
    """Put a key, its certificate and the authority's in their place; a server that runs there shows it after that.

    `WorkError` when the bundle is of no use, or a server does not take it.
    """
    authority = certificates(bundle)[1]
    check(bundle, clock)
    before = os.umask(0o077)
    try:
        places.settings.mkdir(parents=True, exist_ok=True)
        replace_file(places.authority, authority)
        write_over(places.certificate, bundle)
    except OSError as error:
        raise certificate_error(f"it cannot be written: {error}") from None
    finally:
        os.umask(before)
    # Where several machines share one network stack, each has an address of its own to listen on.
    address = os.environ.get("BIND_ADDRESS", "127.0.0.1")
    is_shown = wait_until_shown(address, port, places.certificate, bundle)
    say("certificate: the server shows it" if is_shown else "certificate: in its place")


def certificate_error(why: str) -> WorkError:
    """It is not in use."""
    return WorkError(f"certificate: {why}", "certificate")
