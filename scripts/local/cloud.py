"""The local cloud, through its own command line."""

import subprocess
import sys

from pydantic import BaseModel, ValidationError

from scripts.local.errors import LocalError
from scripts.local.place import CLOUD_STATE, PORT, ROOT
from scripts.local.ports import listeners

TIME_SCALE = 0.03
"""Boots take seconds where the real cloud takes minutes."""


class CloudInstance(BaseModel):
    """The part of an instance that is asked about here."""

    id: str
    name: str | None
    status: str
    ip: str | None


class CloudStatus(BaseModel):
    """What `python -m localcloud status --json` says of a running local cloud."""

    url: str
    api_key: str
    hf_token: str
    pid: int
    ssh_port: int
    instances: list[CloudInstance]


def cloud_command(*arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "localcloud", *arguments, "--state", str(CLOUD_STATE)]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)


def status() -> CloudStatus | None:
    """The running local cloud of this checkout, or None."""
    said = cloud_command("status", "--json")
    if said.returncode != 0:
        return None
    try:
        return CloudStatus.model_validate_json(said.stdout)
    except ValidationError:
        return None


def start() -> CloudStatus:
    """The local cloud of this checkout, started unless it runs.

    Raises:
        LocalError: another program has the port, or the local cloud says why it does not start.
    """
    running = status()
    if running is not None:
        return running
    for listener in listeners():
        if listener.port == PORT:
            raise LocalError(f"port {PORT} is taken by {listener}; end it and run this again")
    said = cloud_command("up", "--port", str(PORT), "--time-scale", str(TIME_SCALE))
    running = status()
    if said.returncode != 0 or running is None:
        raise LocalError(f"the local cloud did not start: {last_line(said.stderr or said.stdout)}")
    return running


def stop() -> None:
    """End the local cloud; fine when it does not run."""
    said = cloud_command("down")
    if said.returncode != 0:
        raise LocalError(f"the local cloud did not stop: {last_line(said.stderr or said.stdout)}")


def last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "it said nothing"
