"""Requests that no good client sends, and a raw connection to send them by."""

import re
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from urllib.parse import urlsplit

ANSWER_S = 20.0
"""Longest wait for an answer to a request that is whole."""
SILENCE_S = 0.5
"""Wait for an answer to one that is not."""

INFERENCE = ("/v1/completions", "/v1/chat/completions", "/invocations", "/v1/embeddings", "/v1/responses", "/tokenize")
OTHERS = ("/v1/models", "/metrics", "/docs", "/openapi.json", "/load", "/ping", "/scale_elastic_ep", "/version")
TRICKS = (
    "/{path}", "//{path}", "/./{path}", "/health/../{path}", "/v1/../{path}", "/%2e%2e/{path}", "/health%2f..%2f{path}",
    "/{path}/", "/{path}%00", "/{path};/health", "/{path}?/health", "/{path}#/health", "/health?x=/{path}/",
    "/%68ealth/../{path}", "/health;/{path}", "/health%23/{path}", "/{upper}", "/health\\..\\{path}", "/{encoded}",
    "http://localhost/{path}", "http://x@localhost:1/{path}", "https://[::1]/{path}", "*", "{path}", "localhost:443",
    "/{path}%ff%fe", "/{path}%c0%af", "/\x80\xff{path}", "/health/{path}", "/{path}%0d%0aauthorization:%20Bearer%20x",
)  # fmt: skip
METHODS = (
    "GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "PRI", "PROPFIND", "get", "G\x00T",
    "", "POST POST", "BREW", "SOURCE", "M-SEARCH",
)  # fmt: skip
VERSIONS = ("HTTP/1.1", "HTTP/1.0", "HTTP/0.9", "HTTP/2.0", "HTTP/9.9", "http/1.1", "HTTP/1.1 ", "", "RTSP/1.0")
BODIES = (
    b'{"model": "meta-llama/Llama-3.1-8B-Instruct", "prompt": "hello", "max_tokens": 1}',
    b'{"model": ', b"", b"null", b"[" * 5000, b'{"prompt": "\xff\xfe\xed\xa0\x80"}', b"\x00" * 64, b'{"a": 1e999999}',
    b'{"prompt": "' + b"a" * 200_000 + b'"}', b"\x1f\x8b\x08\x00junk", b"--x\r\nContent-Disposition: form-data\r\n",
)  # fmt: skip
AUTHORIZATIONS = (
    (), ("Bearer",), ("Bearer ",), ("Bearer wrong",), ("bearer \x80\xff",), ("Basic QTpC",), ("Bearer a", "Bearer b"),
    ("Bearer " + "x" * 9000,), ("", "Bearer"), ("Bearer null",), ("Bearer\twrong",), ("Digest x",),
    ("Bearer wrong wrong",),
)  # fmt: skip
ODD_HEADERS = (
    "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: \x80https", "X-Forwarded-Host: localhost",
    "X-Original-URL: /health", "X-Rewrite-URL: /health", "X-HTTP-Method-Override: GET",
    "Upgrade: websocket\r\nConnection: Upgrade",
    "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__", "Expect: 100-continue",
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZQ==",
    "Content-Encoding: gzip", "Content-Type: text/\x00", "Host: a\r\nHost: b", ": no name", "No colon", "A b: c",
    "Range: bytes=0-",
    " folded: x", "X: \x00", "X: \x0b", "Cookie: " + "c=" * 3000, "Transfer-Encoding: identity",
    "Content-Length: 18446744073709551616",
)  # fmt: skip


@dataclass(frozen=True)
class Malformed:
    """A request, what is wrong with it, and whether it is whole, so that an answer or an end is owed."""

    what: str
    sent: bytes
    is_whole: bool = True


def malformed_requests(seed: int, count: int) -> Iterator[Malformed]:
    """The same ones for the same seed."""
    random = Random(seed)  # to be repeated
    for _ in range(count):
        yield random.choice(SHAPES)(random)


def _path(random: Random) -> str:
    path = random.choice(INFERENCE + OTHERS).removeprefix("/")
    encoded = "".join(f"%{ord(c):02x}" if random.random() < 0.5 else c for c in path)
    return random.choice(TRICKS).format(path=path, upper=path.upper(), encoded=encoded)


def _head(
    random: Random, *more: str, method: str = "POST", path: str | None = None, version: str = "HTTP/1.1"
) -> bytes:
    authorizations = (f"Authorization: {value}" for value in random.choice(AUTHORIZATIONS))
    lines = [f"{method} {path or random.choice(INFERENCE)} {version}", "Host: localhost", *authorizations, *more]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _with_length(random: Random, body: bytes, **head: str) -> bytes:
    return _head(random, "Content-Type: application/json", f"Content-Length: {len(body)}", **head) + body


def _plain(random: Random) -> Malformed:
    return Malformed("without a key", _with_length(random, random.choice(BODIES)))


def _odd_path(random: Random) -> Malformed:
    path = _path(random)
    return Malformed(f"path {path!r}", _with_length(random, BODIES[0], path=path, method=random.choice(METHODS[:2])))


def _odd_method(random: Random) -> Malformed:
    method = random.choice(METHODS)
    return Malformed(f"method {method!r}", _with_length(random, BODIES[0], method=method))


def _odd_version(random: Random) -> Malformed:
    version = random.choice(VERSIONS)
    sent = _with_length(random, BODIES[0], version=version, method=random.choice(("GET", "POST")))
    return Malformed(f"version {version!r}", sent)


def _odd_headers(random: Random) -> Malformed:
    headers = random.sample(ODD_HEADERS, random.randint(1, 3))
    body = random.choice(BODIES)
    return Malformed(f"headers {headers!r}", _head(random, *headers, f"Content-Length: {len(body)}") + body)


def _smuggled(random: Random) -> Malformed:
    """Two lengths, of which one hides another request."""
    hidden = _with_length(random, BODIES[0])
    chunk = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODIES[0]), BODIES[0])
    shapes = (
        _head(random, "Content-Length: 6", "Transfer-Encoding: chunked") + b"0\r\n\r\n" + hidden,
        _head(random, "Transfer-Encoding: chunked", "Content-Length: 4") + chunk + hidden,
        _head(random, "Transfer-Encoding: xchunked", "Content-Length: 4") + chunk,
        _head(random, "Transfer-Encoding: chunked", "Transfer-Encoding: identity") + chunk,
        _head(random, "Transfer-Encoding : chunked") + chunk,
        _head(random, "Transfer-Encoding:\x0bchunked") + chunk,
        _head(random, "Content-Length: 0", f"Content-Length: {len(hidden)}") + hidden,
        _head(random, f"Content-Length: +{len(hidden)}") + hidden,
        _head(random, "Content-Length: 0x10") + hidden,
        _head(random, f"Content-Length: {len(hidden)}, 0") + hidden,
        _head(random, "Transfer-Encoding: chunked") + b"-1\r\nx\r\n0\r\n\r\n",
        _head(random, "Transfer-Encoding: chunked") + b"ffffffffffffffff0\r\nx\r\n",
        _head(random, "Transfer-Encoding: chunked")
        + b"1;"
        + b"e" * 3000
        + b"\r\nx\r\n0\r\nAuthorization: Bearer x\r\n\r\n",
        _head(random, "Content-Length: 0", method="GET", path="/health") + hidden + hidden,
        _head(random, f"Content-Length: {len(hidden)}", method="GET", path="/health") + hidden,
    )
    return Malformed("two lengths", random.choice(shapes))


def _long(random: Random) -> Malformed:
    size = random.choice((10_000, 70_000, 300_000))
    shapes = (
        f"GET /{'a' * size} HTTP/1.1\r\nHost: x\r\n\r\n",
        f"GET /health HTTP/1.1\r\nX: {'a' * size}\r\n\r\n",
        f"GET /v1/models HTTP/1.1\r\n{'a' * size}: x\r\n\r\n",
        "GET /v1/models HTTP/1.1\r\n" + "a: b\r\n" * (size // 6) + "\r\n",
        "A" * size + "\r\n\r\n",
        f"GET /v1/models?{'a=b&' * (size // 4)} HTTP/1.1\r\n\r\n",
    )
    return Malformed(f"{size} bytes of head", random.choice(shapes).encode())


def _huge_body(random: Random) -> Malformed:
    announced = random.choice((2**31, 2**40, 2**62, 80 << 20))
    return Malformed(f"{announced} bytes announced", _head(random, f"Content-Length: {announced}") + bytes(20_000))


def _noise(random: Random) -> Malformed:
    start = random.choice(
        (b"", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\0")
    )
    return Malformed("noise", start + random.randbytes(random.randint(1, 3000)) + b"\r\n\r\n", is_whole=False)


def _changed(random: Random) -> Malformed:
    """A request with some bytes changed, taken out or doubled."""
    sent = bytearray(_with_length(random, BODIES[0], path=_path(random)))
    for _ in range(random.randint(1, 4)):
        at = random.randrange(len(sent))
        sent[at : at + random.randint(0, 2)] = random.randbytes(random.randint(0, 3))
    return Malformed("changed bytes", bytes(sent), is_whole=False)


def _unfinished(random: Random) -> Malformed:
    sent = _with_length(random, BODIES[0])
    return Malformed("unfinished", sent[: random.randrange(len(sent))], is_whole=False)


def _pipelined(random: Random) -> Malformed:
    one = _head(random, "Content-Length: 0", method="GET", path="/health")
    return Malformed("many at once", one * random.randint(2, 100) + _with_length(random, BODIES[0]))


SHAPES: tuple[Callable[[Random], Malformed], ...] = (
    _plain, _odd_path, _odd_path, _odd_method, _odd_version, _odd_headers, _odd_headers, _smuggled, _smuggled, _long,
    _huge_body, _noise, _changed, _unfinished, _pipelined,
)  # fmt: skip


def connect(endpoint: str) -> socket.socket:
    """A connection to the server of an endpoint; its certificate does not matter to one who attacks."""
    url = urlsplit(endpoint)
    plain = socket.create_connection((url.hostname or "", url.port or 0), timeout=ANSWER_S)
    if url.scheme == "http":
        return plain
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(plain, server_hostname=url.hostname)


def statuses(endpoint: str, request: Malformed) -> list[int]:
    """Status codes of all answers until the server closes or has no more; none when it closed without one."""
    answer = b""
    with connect(endpoint) as connection:
        try:
            connection.sendall(request.sent)
            connection.settimeout(ANSWER_S if request.is_whole else SILENCE_S)
            while part := connection.recv(65536):
                answer += part
                # More answers may follow, but not later than this.
                connection.settimeout(SILENCE_S)
        except (TimeoutError, ConnectionError, ssl.SSLError):
            pass
    return [int(status) for status in re.findall(rb"^HTTP/1\.[01] (\d{3}) ", answer, re.MULTILINE)]
