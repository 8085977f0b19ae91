"""A small program in the place of vLLM: it says the same things, listens in the same way, and fails as it is told.

Its configuration file says how, beside the flags that count: `load-seconds`, and `behaviour`:

    crash       ends while it loads, as when the memory is too small
    empty       ends while it loads, with an exception that has no message
    hang        loads for ever
    open        serves without asking for a key
    other-name  serves a model of another name
    refused     is refused by `check` (and crashes)
    silent      ends while it loads, with status 0 and without a word
    stubborn    does not end when it is asked to

and `crash-while`, a file of the home: while it is there, the server crashes.
and `hang-while`, the same for loading for ever;
and `busy-while`, another one: while it is there, the server answers 429, and makes the file `refused`.
Its `EngineCore` is a process of its own; when that ends, so does the server.
"""

import argparse
import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from typing import Any

POLL_S = 0.05
ENGINE_DEAD = "EngineCore encountered an issue. See stack trace (above) for the root cause."


def main() -> int:
    """`vllm serve`, and with `check_config.py` as the first word what checks its configuration."""
    is_check = sys.argv[1].endswith("check_config.py")
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", required=True)
    parser.add_argument("--host", required=True)
    parser.add_argument("--ssl-certfile")
    options, _ = parser.parse_known_args()
    config: dict[str, Any] = json.loads(Path(options.config).read_text())
    behaviour = config.get("behaviour", "")
    if template := config.get("chat-template"):
        # As vLLM does, before it serves.
        Path(template).read_text()
    if is_check:
        if behaviour == "refused":
            print("vllm serve: error: unrecognized arguments: --behaviour refused", file=sys.stderr)
        return 2 if behaviour == "refused" else 0
    if behaviour == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    say(f"INFO 11-23 non-default args: {config}")
    server = Server((options.host, config["port"]), handler(config))
    engine = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)", "EngineCore"])
    say(f"INFO 11-23 Starting to load model {config['model']}...")
    time.sleep(config.get("load-seconds", 0.2))
    broken = (Path.home() / config.get("crash-while", "never")).exists()
    if broken or behaviour in {"crash", "refused"}:
        say("ERROR torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB")
        engine.kill()
        return 1
    if behaviour in {"empty", "silent"}:
        engine.kill()
        assert behaviour == "silent"
        return 0
    while behaviour == "hang" or (Path.home() / config.get("hang-while", "never")).exists():
        time.sleep(POLL_S)
    if options.ssl_certfile:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.ssl_certfile)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=show_new, args=(context, options.ssl_certfile), daemon=True).start()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    say("INFO:     Application startup complete.")
    while engine.poll() is None:
        time.sleep(POLL_S)
    say("WARNING 11-23 [core_client.py:817] [shutdown] MPClient: engine core exited unexpectedly; starting cleanup")
    say(f"ERROR 11-23 [async_llm.py:719] vllm.v1.engine.exceptions.EngineDeadError: {ENGINE_DEAD}")
    return 0


class Server(ThreadingHTTPServer):
    """Without the question for its own name, which a name server far away would be asked."""

    server_bind = TCPServer.server_bind


def show_new(context: ssl.SSLContext, file: str) -> None:
    """Show the certificate that is written over the one in the file, as vLLM does with `--enable-ssl-refresh`."""
    shown = Path(file).read_bytes()
    while True:
        time.sleep(POLL_S)
        if (there := Path(file).read_bytes()) != shown:
            # One that is half written is looked at again.
            with suppress(ssl.SSLError):
                context.load_cert_chain(file)
                shown = there


def handler(config: dict[str, Any]) -> type[BaseHTTPRequestHandler]:
    """Answers of a server with one key file."""
    name = "other/name" if config.get("behaviour") == "other-name" else config["served-model-name"][0]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/health":
                self._answer(200, {})
            elif self._may():
                self._answer(200, {"data": [{"id": name}]})

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if (Path.home() / config.get("busy-while", "never")).exists():
                (Path.home() / "refused").touch()
                self._answer(429, {})
            elif self._may():
                self._answer(200, {"choices": [{"text": "."}]})

        def _may(self) -> bool:
            keys = Path(os.environ["LAMBDA_VLLM_API_KEYS"]).read_text().split()
            may = config.get("behaviour") == "open" or self.headers.get("Authorization") in [
                f"Bearer {k}" for k in keys
            ]
            if not may:
                self._answer(401, {})
            return may

        def _answer(self, status: int, body: object) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    return Handler


def say(line: str) -> None:
    """Into the log."""
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
