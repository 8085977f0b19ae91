"""A stack with given outputs, in a real Pulumi state, and `python -m ops` on it."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh

from components.machine.gpu_machine import ssh_command
from tests.support.empty_stack import make_empty_stack
from tests.support.process_machine import Machine, Result
from tests.support.pulumi_cli import REPOSITORY, pulumi_environment

SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}
"""How Pulumi marks a secret in a state, here not encrypted yet; it encrypts when it reads the file."""
TIMEOUT_S = 120
COPIED = "served"
"""The project whose empty stacks are copies of one."""
WRITE_ENVIRONMENT = """
from pathlib import Path
from scripts.local.cloud import CloudStatus
from scripts.local.environment import write_environment_file
cloud = CloudStatus(url="http://127.0.0.1", api_key="key", hf_token="token", pid=1, ssh_port=2222, instances=[])
write_environment_file(Path(".local/env"), cloud)
"""
"""What `make local` does in the end, in the folder of a checkout."""


@dataclass
class OpsStack:
    """The project's folder and the environment of a user's shell there."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    checkout: Path = REPOSITORY
    """Where the program is run from."""
    started: list[asyncio.subprocess.Process] = field(default_factory=list)

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-m", "ops"]

    async def ops(self, *words: str, stdin: str = "", **more: str) -> Result:
        """Run a command to its end, while this process goes on with what it serves."""
        process = await self.start(*words, **more)
        output, errors = await asyncio.wait_for(process.communicate(stdin.encode()), TIMEOUT_S)
        return Result(process.returncode or 0, output.decode(), errors.decode())

    async def start(self, *words: str, **more: str) -> asyncio.subprocess.Process:
        """Start a command."""
        process = await asyncio.create_subprocess_exec(
            *self.command,
            *words,
            "--project",
            str(self.folder),
            cwd=self.checkout,
            env={**self.environment, **more},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        self.started.append(process)
        return process

    def end(self) -> None:
        """End what a test that failed has left running."""
        for process in self.started:
            if process.returncode is None:
                process.terminate()


def project_without_stack(folder: Path) -> OpsStack:
    """A Pulumi project in which no stack was made; what commands keep for a while lies in `folder/tmp`."""
    project = folder / "project"
    project.mkdir()
    (project / "Pulumi.yaml").write_text(f"name: {COPIED}\nruntime: python\n")
    (folder / "tmp").mkdir()
    environment = pulumi_environment(folder / "pulumi-home", folder / "state")
    environment |= {"TMPDIR": str(folder / "tmp"), "XDG_CACHE_HOME": str(folder / "cache")}
    return OpsStack(project, environment)


def stack_with(folder: Path, outputs: Mapping[str, Any], secrets: Mapping[str, str]) -> OpsStack:
    """The stack `test`, selected, with outputs in an encrypted state."""
    made = project_without_stack(folder)
    stack_file = made.folder / "Pulumi.test.yaml"
    make_empty_stack(COPIED, stack_file, folder / "state", lambda: _pulumi(made, "stack", "init", "test"))
    made.environment["PULUMI_STACK"] = "test"
    if outputs or secrets:
        _import(made, COPIED, "test", outputs, secrets)
    return made


def checkout_after_make_local(folder: Path, outputs: Mapping[str, Any], secrets: Mapping[str, str]) -> OpsStack:
    """A checkout in which `make local` has been run, and the shell of somebody whose Pulumi knows no stack."""
    checkout = folder / "checkout"
    for name in ("ops", "scripts", "components", "examples"):
        shutil.copytree(REPOSITORY / name, checkout / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Pulumi.yaml", "Pulumi.local.yaml", "entry_point.py"):
        shutil.copy(REPOSITORY / name, checkout / name)
    backend = checkout / ".local/pulumi-state"
    backend.mkdir(parents=True)
    (folder / "tmp").mkdir()
    environment = pulumi_environment(folder / "pulumi-home", folder / "state") | {"TMPDIR": str(folder / "tmp")}
    theirs = {"PULUMI_BACKEND_URL": f"file://{backend}?metadata=skip", "PULUMI_CONFIG_PASSPHRASE": "local-cloud"}
    local = OpsStack(checkout, environment | theirs)
    _pulumi(local, "stack", "init", "local", "--no-select")
    _import(local, "lambda-vllm", "local", outputs, secrets)
    del environment["PULUMI_CONFIG_PASSPHRASE"]
    _python(checkout, WRITE_ENVIRONMENT, environment)
    return OpsStack(checkout, environment, checkout)


def _import(made: OpsStack, project: str, name: str, outputs: Mapping[str, Any], secrets: Mapping[str, str]) -> None:
    marked = {name: {**SECRET, "plaintext": json.dumps(value)} for name, value in secrets.items()}
    urn = f"urn:pulumi:{name}::{project}::pulumi:pulumi:Stack::{project}-{name}"
    stack = {"urn": urn, "custom": False, "type": "pulumi:pulumi:Stack", "outputs": {**outputs, **marked}}
    manifest = {"time": "2026-01-01T00:00:00Z", "magic": "", "version": ""}
    state = json.loads(_empty_state(made, project, name))
    state["deployment"] |= {"manifest": manifest, "resources": [stack]}
    _pulumi(made, "stack", "import", "--stack", name, stdin=json.dumps(state))


_exported: dict[str, str] = {}
"""What there is to see of an empty stack, by its project: a copy has the same salt."""


def _empty_state(made: OpsStack, project: str, name: str) -> str:
    if project != COPIED:
        return _pulumi(made, "stack", "export", "--stack", name)
    if project not in _exported:
        _exported[project] = _pulumi(made, "stack", "export", "--stack", name)
    return _exported[project]


def _pulumi(stack: OpsStack, *words: str, stdin: str = "") -> str:
    done = subprocess.run(
        ["pulumi", "--non-interactive", *words],
        cwd=stack.folder,
        env=stack.environment,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _python(folder: Path, code: str, environment: Mapping[str, str]) -> None:
    subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, timeout=TIMEOUT_S, check=True)


async def ssh_outputs(machine: Machine, host_key: str | None = None) -> tuple[dict[str, str], dict[str, str]]:
    """The outputs that lead to a machine, plain ones and secret ones; `host_key` None is its own."""
    port = machine.machines.ssh_port
    if host_key is None:
        key = await asyncssh.get_server_host_key(machine.spec.ip, port)
        assert key
        host_key = key.export_public_key().decode()
    command = ssh_command(machine.spec.ip, port, host_key, "~/.ssh/lambda-vllm-test")
    return {"ip": machine.spec.ip, "ssh": command}, {"ssh_private_key": machine.key.read_text()}


def left_in_temporary_folder(stack: OpsStack) -> list[str]:
    """What a command did not take away; Pulumi's own are not its."""
    folder = Path(stack.environment["TMPDIR"])
    return [name for name in os.listdir(folder) if name.startswith("lambda-vllm")]  # noqa: PTH208
