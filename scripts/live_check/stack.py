"""The stack of the live check, in a folder of its own that stays until its machine is gone."""

import json
import os
import secrets
import shutil
import subprocess
import time
from typing import Any

from scripts.local.place import ROOT

STACK = "live-check"
PROJECT = "lambda-vllm"
FOLDER = ROOT / ".live-check"
STACK_FILE = ROOT / f"Pulumi.{STACK}.yaml"
"""Pulumi writes it there and takes it away with the stack."""
ENDING_GRACE_S = 120.0
"""For Pulumi to end what it has begun after it was interrupted."""


class LiveCheckError(Exception):
    """What went wrong, in one line."""


class Stack:
    """Pulumi on the stack. What has been begun is found again by the next run, and destroyed first."""

    def __init__(self) -> None:
        self.launch_tokens: set[str] | None = None
        """By which whatever this stack has launched is found, once it is destroyed; None where nobody could look."""
        FOLDER.mkdir(mode=0o700, exist_ok=True)
        (FOLDER / "state").mkdir(exist_ok=True)
        self._environment = os.environ | {
            "PULUMI_BACKEND_URL": f"file://{FOLDER / 'state'}?metadata=skip",
            "PULUMI_CONFIG_PASSPHRASE": _passphrase(),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }

    def make(self, configuration: dict[str, Any]) -> None:
        """The empty stack with its configuration."""
        self._quietly("stack", "select", STACK, "--create")
        salt = [line for line in STACK_FILE.read_text().splitlines() if line.startswith("encryptionsalt:")]
        config = {f"{PROJECT}:{key}": value for key, value in configuration.items()}
        # JSON is YAML.
        STACK_FILE.write_text("\n".join([*salt, f"config: {json.dumps(config)}", ""]))

    def exists(self) -> bool:
        """Whether an earlier run has left it."""
        return any(one["name"] == STACK for one in json.loads(self._quietly("stack", "ls", "--json") or "[]"))

    def up(self, deadline: float) -> bool:
        """`pulumi up` on the terminal; False when it failed, or was not done at `deadline` (of `time.monotonic`)."""
        command = subprocess.Popen(
            ["pulumi", *self._on_stack("up", "--yes", "--skip-preview")], cwd=ROOT, env=self._environment
        )
        try:
            return command.wait(max(0.0, deadline - time.monotonic())) == 0
        except subprocess.TimeoutExpired:
            return False
        finally:
            _end(command)

    def is_unchanged(self) -> bool:
        """Whether another `pulumi up` would change nothing."""
        return self._run("preview", "--expect-no-changes").returncode == 0

    def outputs(self) -> dict[str, Any]:
        """The outputs, secret ones too."""
        text = self._quietly("stack", "output", "--json", "--show-secrets", "--stack", STACK)
        found: dict[str, Any] = json.loads(text)
        return found

    def destroy(self) -> bool:
        """`pulumi destroy` on the terminal, whatever state the stack is in; the folder goes with the stack."""
        subprocess.run(
            ["pulumi", "cancel", "--yes", "--stack", STACK],
            cwd=ROOT, env=self._environment, capture_output=True, check=False,
        )  # fmt: skip
        self._note_launch_tokens()
        words = self._on_stack("destroy", "--yes", "--skip-preview")
        if subprocess.run(["pulumi", *words], cwd=ROOT, env=self._environment, check=False).returncode != 0:
            return False
        self._quietly("stack", "rm", "--yes", "--stack", STACK)
        shutil.rmtree(FOLDER)
        return True

    def _note_launch_tokens(self) -> None:
        """While the state is there. That it cannot be read must not keep the machine from being destroyed."""
        try:
            resources = json.loads(self._quietly("stack", "export", "--stack", STACK))["deployment"].get("resources")
        except (LiveCheckError, ValueError, KeyError):
            return
        found = {one["id"] for one in resources or [] if one["type"].endswith(":LaunchToken") and "id" in one}
        self.launch_tokens = (self.launch_tokens or set()) | found

    def _quietly(self, *arguments: str) -> str:
        done = subprocess.run(
            ["pulumi", "--non-interactive", *arguments],
            cwd=ROOT, env=self._environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            why = " / ".join(done.stderr.strip().splitlines()[-3:])
            raise LiveCheckError(f"pulumi {' '.join(arguments[:2])} failed: {why}")
        return done.stdout

    def _run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        words = ["pulumi", "--non-interactive", *self._on_stack(*arguments)]
        return subprocess.run(words, cwd=ROOT, env=self._environment, capture_output=True, text=True, check=False)

    @staticmethod
    def _on_stack(command: str, *options: str) -> list[str]:
        return [command, *options, "--stack", STACK]


def _passphrase() -> str:
    """Of this check's stack alone; it lies beside the state, since both are gone in half an hour."""
    file = FOLDER / "passphrase"
    if not file.is_file():
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
            stream.write(secrets.token_urlsafe(24))
    return file.read_text()


def _end(command: "subprocess.Popen[bytes]") -> None:
    """Interrupt Pulumi as Ctrl-C does, and kill it only when it does not end: a kill leaves its stack locked."""
    if command.poll() is not None:
        return
    command.send_signal(2)
    try:
        command.wait(ENDING_GRACE_S)
    except subprocess.TimeoutExpired:
        command.kill()
        command.wait()
