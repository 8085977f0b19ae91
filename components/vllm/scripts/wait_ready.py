"""Waits until the model answers, and says meanwhile what it does.

Ready means that a token came back through the key check: `/health` says only that the process is up, and `/v1/models`
answers before the engine does. Runs with the machine's own Python 3.10 or newer.
"""

import argparse
import http.client
import json
import re
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

POLL_S = 0.5
UNIT_LOOK_S = 5.0
"""Between two looks at the service: each is a program of its own, which takes from the cores that the start needs."""
REPORT_S = 10.0
ANSWER_TIMEOUT_S = 300.0

# Log texts of vLLM 0.32, in the order in which they come; the last one found is the stage.
STAGES: tuple[tuple[str, str], ...] = (
    (r"vLLM server version|non-default args", "reading the settings"),
    (r"Resolved architecture", "starting the engine"),
    (r"Starting to load model", "loading the weights"),
    (r"Model loading took", "weights loaded"),
    (r"Dynamo bytecode transform|Compiling a graph", "compiling"),
    (r"Available KV cache memory", "warming up"),
    (r"Capturing CUDA graphs|Graph capturing", "capturing graphs"),
    (r"init engine .* took", "starting the API"),
    (r"Application startup complete", "asking for the first token"),
)


class NotReadyError(Exception):
    """The server will not get ready; the text is one line."""


class TooSlowError(NotReadyError):
    """The server is still on its way at the deadline."""


def stage(log_file: Path) -> str:
    """What the server is doing, by its own log."""
    log = log_file.read_text(errors="replace") if log_file.is_file() else ""
    found = "importing packages"
    for pattern, name in STAGES:
        if re.search(pattern, log):
            found = name
    return found


def check_offload(settings: str, accelerator: str, log: str) -> None:
    """Refuse a server that was asked to keep weights in the machine's memory and says nothing of having done so.

    Some runners of vLLM 0.26 and 0.27 ignore the flag without a word.
    """
    wanted = float(json.loads(Path(settings).read_text()).get("cpu-offload-gb", 0))
    if not wanted or accelerator == "cpu":
        return
    found = re.search(r"Total CPU offloaded parameters: ([\d.]+)", Path(log).read_text(errors="replace"))
    if not found or float(found.group(1)) == 0:
        raise NotReadyError(
            f"{wanted:g} GiB of weights were to be kept in the machine's memory, and vLLM's log does not say that they "
            "are: set cpuOffloadGb to 0, or take another vllmVersion"
        )
    print(f"{found.group(1)} GiB of the weights are in the machine's memory", flush=True)


def wait(options: argparse.Namespace) -> float:
    """Seconds until a token came back; `NotReadyError` when none will."""
    key = Path(options.keys).read_text().split()[0]
    began = reported = looked = time.monotonic()
    while not (answers(options, "/health") and first_token(options, key)):
        now = time.monotonic()
        if now - looked >= UNIT_LOOK_S:
            looked = now
            state = unit_state(options.service)
            if has_ended(state):
                # Each start begins a new log and keeps the one before.
                raise NotReadyError(explain(options.log + ".1" if was_restarted(state) else options.log))
        doing = stage(Path(options.log))
        if now - began > options.timeout:
            raise TooSlowError(
                f"the model server was not ready after {options.timeout} s, its stage is: {doing}; raise "
                f"startTimeoutMinutes, or read {options.log} on the machine"
            )
        if now - reported >= REPORT_S:
            reported = now
            print(f"{now - began:.0f} s: {doing}", flush=True)
        time.sleep(POLL_S)
    if answers(options, "/v1/models"):
        raise NotReadyError("the server answers without the key and was stopped: see vllmArgs and vllmEnv")
    check_offload(options.settings, options.accelerator, options.log)
    return time.monotonic() - began


def explain(log_file: str) -> str:
    """Why the server ended, in one line."""
    command = [sys.executable, str(Path(__file__).with_name("explain.py")), "the model server", log_file]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def unit_state(service: str) -> dict[str, str]:
    """What systemd says of the service: ActiveState, SubState, NRestarts."""
    wanted = [f"--property={name}" for name in ("ActiveState", "SubState", "NRestarts")]
    command = ["systemctl", "--user", "show", service, *wanted]
    answer = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return dict(line.split("=", 1) for line in answer.splitlines() if "=" in line)


def was_restarted(state: dict[str, str]) -> bool:
    """True when the server failed once and was started again by systemd: it would fail again the same way."""
    return state.get("NRestarts", "0") != "0"


def has_ended(state: dict[str, str]) -> bool:
    """True when systemd has given the service up, or has found it failed.

    While it waits for the next start, systemd calls the unit `activating` with the sub-state `auto-restart`; NRestarts
    goes up only with that start (systemd 249 to 255).
    """
    alive = state.get("ActiveState") in {"active", "activating", "reloading"}
    return not alive or state.get("SubState", "").startswith("auto-restart") or was_restarted(state)


def server_url(options: argparse.Namespace) -> str:
    """The server's address, as its settings have it."""
    return f"{'https' if trust(options) else 'http'}://{options.host}:{options.port}"


def trust(options: argparse.Namespace) -> ssl.SSLContext | None:
    """What to trust; None for plain HTTP."""
    if not json.loads(Path(options.settings).read_text()).get("enable-ssl-refresh"):
        return None
    return ssl.create_default_context(cafile=str(Path(options.settings).with_name("ca.pem")))


def answers(options: argparse.Namespace, path: str) -> bool:
    """True when the path gives 200."""
    url = server_url(options) + path
    try:
        with urllib.request.urlopen(url, timeout=5, context=trust(options)) as response:  # noqa: S310
            return bool(response.status == 200)
    except (OSError, http.client.HTTPException):
        return False


def first_token(options: argparse.Namespace, key: str) -> bool:
    """True when the model gave a token to a caller with the key."""
    body = json.dumps({"model": options.model, "prompt": "Hello", "max_tokens": 1}).encode()
    request = urllib.request.Request(  # noqa: S310
        f"{server_url(options)}/v1/completions",
        data=body,
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_TIMEOUT_S, context=trust(options)) as response:  # noqa: S310
            return bool(json.load(response)["choices"])
    except urllib.error.HTTPError as error:
        if 400 <= error.code < 500:
            detail = error.read(500).decode(errors="replace")
            raise NotReadyError(f"the server refused a completion of {options.model}: {error.code} {detail}") from None
        return False
    except (OSError, ValueError, http.client.HTTPException):
        return False


def main() -> int:
    """Wait as the command line says; 0 when ready, 2 when it is still on its way, 3 when it will not be ready.

    Python's own 1 says nothing of the server: a connection that was cut, for example, ends the next `print`.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("host", "model", "keys", "log", "service", "seconds-file", "settings", "accelerator"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--timeout", type=int, required=True, help="seconds")
    options = parser.parse_args()
    try:
        seconds = round(wait(options))
    except NotReadyError as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, TooSlowError) else 3
    # The first wait after a start is what the start took; later waits find the server ready.
    file = Path(options.seconds_file)
    if not file.exists():
        file.write_text(f"{seconds}\n")
    print(f"start: done in {file.read_text().strip()} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
