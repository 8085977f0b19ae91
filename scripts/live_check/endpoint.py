"""The endpoint as a client sees it, through the SSH tunnel."""

import contextlib
import functools
import shlex
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from scripts.live_check.machine import key_file

QUESTION = "What is the name of the capital of France?"
TOKENS = 128
TUNNEL_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Measured:
    """What a client got."""

    answer: str
    status_without_key: int
    tokens_per_second: float
    """One stream, greedy."""


def measure(outputs: Mapping[str, Any]) -> Measured:
    """Ask the tutorial's question, once without the key, and let the model write."""
    with tunnel(outputs) as url, tempfile.NamedTemporaryFile("w", suffix=".pem") as authority:
        authority.write(str(outputs["ca_certificate"]))
        authority.flush()
        # Said with each request: of a session, a variable of the environment would win over it.
        post = functools.partial(requests.post, verify=authority.name)
        headers = {"Authorization": f"Bearer {outputs['api_key']}"}
        body = {"model": outputs["model"], "prompt": QUESTION, "max_tokens": 8, "temperature": 0}
        refused = post(f"{url}/v1/completions", json=body, timeout=60)
        answer = post(f"{url}/v1/completions", json=body, headers=headers, timeout=120)
        answer.raise_for_status()
        long = {**body, "max_tokens": TOKENS, "ignore_eos": True}
        began = time.monotonic()
        written = post(f"{url}/v1/completions", json=long, headers=headers, timeout=600)
        seconds = time.monotonic() - began
        written.raise_for_status()
        tokens = written.json()["usage"]["completion_tokens"]
        return Measured(answer.json()["choices"][0]["text"].strip(), refused.status_code, tokens / seconds)


@contextlib.contextmanager
def tunnel(outputs: Mapping[str, Any]) -> Iterator[str]:
    """The root URL of the server on this computer, while the context lasts."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        words = shlex.split(str(outputs["tunnel"]))
        words[words.index("-i") + 1] = str(key_file(Path(folder), str(outputs["ssh_private_key"])))
        forward = words.index("-L") + 1
        words[forward] = f"127.0.0.1:{port}:{words[forward].split(':', 1)[1]}"
        command = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            _wait_for(port, command)
            yield f"https://127.0.0.1:{port}"
        finally:
            command.terminate()
            command.wait()


def _wait_for(port: int, command: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + TUNNEL_TIMEOUT_S
    while time.monotonic() < deadline and command.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise requests.ConnectionError("the tunnel did not open")
