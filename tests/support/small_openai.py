"""A small server with OpenAI's API over TLS, for tests of programs that use one; and the CA that it is trusted by."""

import ipaddress
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

KEY = "sk-small-server-key"
METRICS = Path(__file__).with_name("metrics.txt")
WORDS = ("The", " capital", " is", " Paris", ".")
NO_TEMPLATE = "default chat template is no longer allowed, so you must provide a chat template"


@dataclass
class SmallServer:
    """A running one."""

    ip: str
    port: int
    ca: str
    """PEM of its CA; empty where it speaks plain HTTP."""
    has_template: bool = True
    endless: bool = False
    """Answers go on until the client goes."""
    left: threading.Event = field(default_factory=threading.Event)
    """Set when a client has gone in the middle of an answer."""
    bodies: list[dict[str, Any]] = field(default_factory=list)

    @property
    def endpoint(self) -> str:
        return f"{'https' if self.ca else 'http'}://{self.ip}:{self.port}/v1"


@contextmanager
def small_server(ip: str, folder: Path, *, tls: bool = True) -> Iterator[SmallServer]:
    """Serve on a free port of `ip`; certificates of a CA of its own lie in `folder`."""

    class Handler(_Handler):
        @property
        def state(self) -> SmallServer:
            return made

    server = ThreadingHTTPServer((ip, 0), Handler)
    server.daemon_threads = True
    made = SmallServer(ip, server.server_port, make_certificates(folder, ip) if tls else "")
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "server.pem")
        # The handshake is the handler's: one that fails must not hold the others up.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def state(self) -> SmallServer:
        raise NotImplementedError

    def log_message(self, format: str, *args: Any) -> None:
        """Silence."""

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            # Broken off, or a client that does not trust the certificate.
            self.close_connection = True

    def do_GET(self) -> None:
        if self._allowed():
            self._answer(200, METRICS.read_text() if self.path == "/metrics" else "{}")

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self._allowed():
            return
        self.state.bodies.append(body)
        if self.path == "/v1/chat/completions" and not self.state.has_template:
            self._answer(400, json.dumps({"error": {"message": NO_TEMPLATE, "code": 400}}))
        elif self.path in ("/v1/chat/completions", "/v1/completions"):
            self._stream(chat=self.path.startswith("/v1/chat"))
        else:
            self._answer(404, "")

    def _allowed(self) -> bool:
        allowed = self.headers["Authorization"] == f"Bearer {KEY}"
        if not allowed:
            self._answer(401, json.dumps({"error": {"message": "the key is missing or wrong", "code": 401}}))
        return allowed

    def _answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def _stream(self, *, chat: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        pause = threading.Event()
        try:
            for word in WORDS:
                self._event({"choices": [{"delta": {"content": word}} if chat else {"text": word}]})
            while self.state.endless:
                self._event({"choices": [{"delta": {"content": " on"}}]})
                pause.wait(0.05)
        except OSError:
            self.state.left.set()
            return
        self._event({"choices": [], "usage": {"completion_tokens": len(WORDS)}})
        self.wfile.write(b"data: [DONE]\n\n")

    def _event(self, event: dict[str, Any]) -> None:
        self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())


def make_certificates(folder: Path, ip: str) -> str:
    """Write server.pem, for the IP, 127.0.0.1 and localhost; the CA's PEM."""
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "small CA")])
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "small server")])
    addresses = [x509.IPAddress(ipaddress.ip_address(one)) for one in {ip, "127.0.0.1"}]
    ca = (
        _certificate(ca_name, ca_name, ca_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    server = (
        _certificate(name, ca_name, key)
        .add_extension(x509.SubjectAlternativeName([*addresses, x509.DNSName("localhost")]), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    (folder / "server.pem").write_bytes(pem + server.public_bytes(serialization.Encoding.PEM))
    return ca.public_bytes(serialization.Encoding.PEM).decode()


def _certificate(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
    )
