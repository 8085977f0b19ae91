"""The stack `local`, through the Pulumi CLI."""

import json
import signal
import subprocess
from collections.abc import Mapping
from typing import Any

import psutil
from pydantic import BaseModel

from scripts.local.errors import LocalError
from scripts.local.place import PULUMI_STATE, ROOT, STACK

SHOWN_OF_A_FAILURE = 5


class StackOutputs(BaseModel):
    """The outputs of the program used here; `timeline` maps stages to seconds, None for what did not happen."""

    endpoint: str
    api_key: str
    ca_certificate: str
    model: str
    timeline: dict[str, float | None] = {}


class Stack:
    """Commands on the stack. `environment` is that of scripts.local.environment."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def select(self) -> None:
        """Select the stack, created if need be, for this and for the user's commands."""
        PULUMI_STATE.mkdir(exist_ok=True)
        self._quietly("stack", "select", STACK, "--create")

    def exists(self) -> bool:
        if not PULUMI_STATE.exists():
            return False
        stacks = json.loads(self._quietly("stack", "ls", "--json"))
        return any(stack["name"] == STACK for stack in stacks)

    def release_stale_lock(self) -> bool:
        """Take away the lock of a CLI that was killed; True when there was one.

        Raises:
            LocalError: the lock belongs to a CLI that is at work.
        """
        owners = lock_owners()
        if not owners:
            return False
        alive = [pid for pid in owners if is_pulumi(pid)]
        if alive:
            raise LocalError(f"another pulumi (process {alive[0]}) works on the stack {STACK}; wait until it has ended")
        self._quietly("cancel", "--yes", "--stack", STACK)
        return True

    def up(self) -> None:
        """`pulumi up`, on the user's terminal."""
        if self._openly("up", "--yes", "--skip-preview", "--stack", STACK) != 0:
            raise LocalError("pulumi up failed, see above; `make local` goes on where it stopped")

    def destroy(self) -> None:
        """`pulumi destroy`, on the user's terminal, then forget the empty stack but not its configuration file."""
        if self._openly("destroy", "--yes", "--skip-preview", "--stack", STACK) != 0:
            raise LocalError("pulumi destroy failed, see above; the local cloud still runs, `make local-down` goes on")
        self._quietly("stack", "rm", "--yes", "--preserve-config", "--stack", STACK)

    def outputs(self) -> StackOutputs:
        said = self._quietly("stack", "output", "--json", "--show-secrets", "--stack", STACK)
        return StackOutputs.model_validate_json(said)

    def _quietly(self, *arguments: str) -> str:
        said = subprocess.run(
            ["pulumi", "--non-interactive", *arguments],
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if said.returncode != 0:
            why = " / ".join(said.stderr.strip().splitlines()[-SHOWN_OF_A_FAILURE:])
            raise LocalError(f"pulumi {' '.join(arguments)} failed: {why}")
        return said.stdout

    def _openly(self, *arguments: str) -> int:
        """Run on the terminal and see it through: a CLI that is killed leaves its stack locked.

        Ctrl-C reaches the CLI too, which then ends its operations in flight; a signal to this process is handed on.
        """
        command = subprocess.Popen(["pulumi", *arguments], cwd=ROOT, env=self._environment)
        before = signal.signal(signal.SIGTERM, lambda sign, _: command.send_signal(sign))
        try:
            while True:
                try:
                    return command.wait()
                except KeyboardInterrupt:
                    continue
        finally:
            signal.signal(signal.SIGTERM, before)


def lock_owners() -> list[int]:
    """The process ids in the stack's lock files (file backend of Pulumi 3: one JSON file a lock)."""
    locks = (PULUMI_STATE / ".pulumi" / "locks").glob(f"**/{STACK}/*.json")
    contents: list[dict[str, Any]] = [json.loads(lock.read_text()) for lock in locks]
    return [content["pid"] for content in contents]


def is_pulumi(pid: int) -> bool:
    """Whether the process lives and is a Pulumi CLI, not a later one that got the same number."""
    try:
        return "pulumi" in psutil.Process(pid).name()
    except psutil.NoSuchProcess:
        return False
