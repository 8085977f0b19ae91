"""An endpoint as small as can be: TLS, a key, one model. In this process, or a program by itself."""

import http.server
import json
import os
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MODEL = "meta-llama/Llama-3.1-8B-Instruct"
KEY = "sk-a-key-that-opens-it"


class Answers(http.server.BaseHTTPRequestHandler):
    """What vLLM behind the key check answers; `wrong` maps a path, or a path and ` open`, to another status."""

    def do_GET(self) -> None:
        self._answer({"data": [{"id": self.server.model}]})  # type: ignore[attr-defined]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer({"choices": [{"text": "x"}]})

    def _answer(self, body: Any) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        has_key = self.headers["Authorization"] == f"Bearer {KEY}"
        status = 200 if has_key or self.path == "/health" else 401
        status = self.server.wrong.get(self.path if has_key else f"{self.path} open", status)  # type: ignore[attr-defined]
        content = json.dumps(body if status == 200 else {}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def date_time_string(self, timestamp: float | None = None) -> str:
        """By the server's clock."""
        return super().date_time_string(self.server.clock() if timestamp is None else timestamp)  # type: ignore[attr-defined]

    def log_message(self, *_: Any) -> None:
        """Nothing."""


class Endpoint(http.server.ThreadingHTTPServer):
    """Shows the certificate that the file holds at that moment; without a file it speaks plain HTTP."""

    daemon_threads = True

    def __init__(self, address: str, port: int, certificate: Path | None) -> None:
        super().__init__((address, port), Answers)
        self.certificate = certificate
        self.model = MODEL
        self.wrong: dict[str, int] = {}
        self.asked: list[str] = []
        """Paths, in their order."""
        self.clock: Callable[[], float] = time.time

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])

    def finish_request(self, request: Any, client_address: Any) -> None:
        """In the thread of the connection, so that a client that does not speak TLS holds up nobody."""
        if self.certificate is None:
            super().finish_request(request, client_address)
            return
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate)
        try:
            with context.wrap_socket(request, server_side=True) as encrypted:
                super().finish_request(encrypted, client_address)
        except OSError:
            return


@contextmanager
def endpoint(certificate: Path | None, address: str = "127.0.0.1") -> Iterator[Endpoint]:
    """One on a free port of this computer."""
    server = Endpoint(address, 0, certificate)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    Endpoint(
        os.environ.get("BIND_ADDRESS", "127.0.0.1"), int(sys.argv[1]), Path.home() / ".config/lambda-vllm/tls.pem"
    ).serve_forever()
