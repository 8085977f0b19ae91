"""A small Pulumi stack of remote commands, run by the real CLI."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import asyncssh

from tests.support.command_plugin.ssh_host import PORT, SshHost
from tests.support.empty_stack import make_empty_stack

PROLOGUE = """
import json, pulumi
from pulumi_command import remote
connection = remote.ConnectionArgs(**json.load(open("connection.json")))
"""


@dataclass(frozen=True)
class Outcome:
    """What one `pulumi up` did."""

    outputs: dict[str, Any]
    status_lines: list[tuple[str, str]]
    """Resource name and text of each message that was shown while it ran."""
    messages: list[str]
    """What stays on the screen."""
    operations: list[tuple[str, str]]
    """Resource name and what was done with it, for all that was not left as it is."""


class PulumiError(Exception):
    """`pulumi` did not succeed; the text is all that it printed."""


class Stack:
    """A Pulumi program of a few lines and its stack."""

    def __init__(self, directory: Path, environment: dict[str, str], backend: Path) -> None:
        self._directory = directory
        # --event-log is a debugging flag of the CLI.
        self._environment = environment | {"PULUMI_DEBUG_COMMANDS": "true", "PULUMI_STACK": "test"}
        self._checkpoint = backend / ".pulumi/stacks/commands/test.json"
        directory.mkdir()
        (directory / "Pulumi.yaml").write_text("name: commands\nruntime: python\n")
        make_empty_stack(
            "commands", directory / "Pulumi.test.yaml", backend, lambda: self._pulumi("stack", "init", "test")
        )

    def connect(self, host: SshHost, key: asyncssh.SSHKey, **settings: Any) -> None:
        connection = {
            "host": host.address,
            "port": PORT,
            "user": "ubuntu",
            "private_key": key.export_private_key().decode(),
            "host_key": host.host_key,
            "dial_error_limit": 2,
        }
        (self._directory / "connection.json").write_text(json.dumps(connection | settings))

    def program(self, text: str) -> None:
        (self._directory / "__main__.py").write_text(PROLOGUE + dedent(text))

    def up(self) -> Outcome:
        log = self._directory / "events.jsonl"
        log.unlink(missing_ok=True)
        self._pulumi("up", "--yes", "--skip-preview", "--event-log", str(log))
        (stack,) = (one for one in self._resources() if one["type"] == "pulumi:pulumi:Stack")
        return _outcome(stack.get("outputs", {}), [json.loads(line) for line in log.read_text().splitlines()])

    def preview(self, *arguments: str) -> None:
        self._pulumi("preview", *arguments)

    def destroy(self) -> None:
        self._pulumi("destroy", "--yes", "--skip-preview")

    def refresh(self) -> None:
        self._pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes")

    def export(self) -> str:
        return self._pulumi("stack", "export")

    def opened(self, name: str) -> dict[str, Any]:
        """One resource of the state with its secrets open: a secret is `{SIGNATURE: SECRET, "plaintext": JSON}`."""
        exported = json.loads(self._pulumi("stack", "export", "--show-secrets"))
        (found,) = (one for one in exported["deployment"]["resources"] if _name(one["urn"]) == name)
        resource: dict[str, Any] = found
        return resource

    def names(self) -> list[str]:
        return [_name(one["urn"]) for one in self._resources()]

    def resource(self, name: str) -> dict[str, Any]:
        (found,) = (one for one in self._resources() if _name(one["urn"]) == name)
        return found

    def _resources(self) -> list[dict[str, Any]]:
        resources: list[dict[str, Any]] = json.loads(self._checkpoint.read_text())["checkpoint"]["latest"]["resources"]
        return resources

    def _pulumi(self, *arguments: str) -> str:
        run = subprocess.run(
            ["pulumi", "--non-interactive", "--color", "never", *arguments],
            cwd=self._directory,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        if run.returncode != 0:
            raise PulumiError(run.stdout + run.stderr)
        return run.stdout


def _outcome(outputs: dict[str, Any], events: list[dict[str, Any]]) -> Outcome:
    diagnostics = [event["diagnosticEvent"] for event in events if "diagnosticEvent" in event]
    steps = [event["resourcePreEvent"]["metadata"] for event in events if "resourcePreEvent" in event]
    return Outcome(
        outputs=outputs,
        status_lines=[(_name(one["urn"]), one["message"].rstrip()) for one in diagnostics if one.get("ephemeral")],
        messages=[one["message"] for one in diagnostics if not one.get("ephemeral")],
        operations=[(_name(one["urn"]), one["op"]) for one in steps if one["op"] != "same"],
    )


def _name(urn: str) -> str:
    return urn.rpartition("::")[2]
