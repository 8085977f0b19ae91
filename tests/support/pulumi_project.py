"""A Pulumi project for tests: the real engine, a state of its own, one stack."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml

from scripts.command_plugin.install import install
from tests.support.empty_stack import make_empty_stack
from tests.support.local_cloud import LocalCloud
from tests.support.polling import until
from tests.support.pulumi_cli import REPOSITORY, pulumi_environment

STACK = "test"
TIMEOUT_S = 900.0
SECRET = "4dabf18193072939515e22adb298388d"
"""By this key the state marks what is more than it seems, such as secrets (Pulumi's sdk/go/common/resource)."""


@dataclass(frozen=True)
class Run:
    """What a command printed, and how it ended."""

    status: int
    output: str

    @property
    def errors(self) -> list[str]:
        """The lines that say what went wrong."""
        return [line.strip() for line in self.output.splitlines() if "error:" in line]


class Project:
    """A project folder with the stack `test`. Commands run there with nothing of the user's own Pulumi.

    `program` is a program that runs as this repository's project, or a folder of `examples`, which is run as it is.
    """

    def __init__(self, folder: Path, cloud: LocalCloud, program: Path) -> None:
        self._folder = _example(folder, program) if program.is_dir() else _own_folder(folder, program)
        self._name: str = yaml.safe_load((self._folder / "Pulumi.yaml").read_text())["name"]
        self._state = folder / "state/.pulumi"
        home = folder / "pulumi-home"
        self._environment = pulumi_environment(home, folder / "state")
        own_plugins = REPOSITORY / ".tools/pulumi-home/plugins"
        if own_plugins.is_dir():
            (home / "plugins").symlink_to(own_plugins)
        else:
            install(home, Path(sys.executable), REPOSITORY)
        self._environment |= {
            "PULUMI_STACK": STACK,
            "LAMBDA_API_KEY": cloud.api_key,
            "HF_TOKEN": cloud.hf_token,
            "LAMBDA_CLOUD_REQUEST_INTERVAL": "0",
            "LAMBDA_CLOUD_LAUNCH_INTERVAL": "0",
            "XDG_STATE_HOME": str(folder / "account-notes"),
        }
        self._config: dict[str, Any] = {}
        self._stack_file = self._folder / f"Pulumi.{STACK}.yaml"
        make_empty_stack(self._name, self._stack_file, folder / "state", lambda: self.pulumi("stack", "init", STACK))
        self._salt = yaml.safe_load(self._stack_file.read_text())
        self._shown: tuple[bytes, dict[str, Any]] | None = None

    @property
    def folder(self) -> Path:
        """Where Pulumi.yaml lies."""
        return self._folder

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a shell in which the project is worked on."""
        return dict(self._environment)

    def set_environment(self, **variables: str) -> None:
        """Change variables; an empty text takes one away."""
        self._environment |= variables
        self._environment = {name: value for name, value in self._environment.items() if value}

    def configure(self, **keys: Any) -> None:
        """Set keys of the stack; None takes one away."""
        self._config |= keys
        config = {f"{self._name}:{key}": value for key, value in self._config.items() if value is not None}
        self._stack_file.write_text(yaml.safe_dump({**self._salt, "config": config}))

    def configure_secret(self, key: str, value: str) -> None:
        """Set a key, encrypted."""
        self.pulumi("config", "set", "--secret", key, value)
        self._config[key] = yaml.safe_load(self._stack_file.read_text())["config"][f"{self._name}:{key}"]

    def pulumi(self, *arguments: str, succeeds: bool | None = True) -> Run:
        """Run a command to its end; `succeeds` None takes either end."""
        done = subprocess.run(
            ["pulumi", "--non-interactive", *arguments],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        if succeeds is not None:
            assert (done.returncode == 0) is succeeds, done.stdout
        return Run(done.returncode, done.stdout)

    def shell(self, script: str) -> str:
        """Output of a script in the project's folder, which must succeed; as a user types it there."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def up(self, *, succeeds: bool | None = True) -> Run:
        """`pulumi up` without questions."""
        return self.pulumi("up", "--yes", "--skip-preview", succeeds=succeeds)

    def destroy(self, *, succeeds: bool | None = True) -> Run:
        """`pulumi destroy` without questions."""
        return self.pulumi("destroy", "--yes", "--skip-preview", succeeds=succeeds)

    def refresh(self) -> Run:
        """`pulumi refresh` without questions."""
        return self.pulumi("refresh", "--yes", "--skip-preview")

    def output(self, name: str) -> Any:
        """An output, a secret one too."""
        (stack,) = (one for one in self._latest()["resources"] if one["type"] == "pulumi:pulumi:Stack")
        value = stack["outputs"][name]
        # Only what is encrypted takes the CLI, a third of a second.
        return self.outputs()[name] if SECRET in json.dumps(value) else value

    def outputs(self) -> dict[str, Any]:
        """All outputs; asked for again when the state is another."""
        state = self._checkpoint.read_bytes()
        if self._shown is None or self._shown[0] != state:
            self._shown = state, json.loads(self.pulumi("stack", "output", "--json", "--show-secrets").output)
        return dict(self._shown[1])

    def export(self) -> str:
        """The state as text, secrets encrypted."""
        return self.pulumi("stack", "export").output

    def resources(self) -> list[str]:
        """Types of the resources in the state."""
        return [resource["type"] for resource in self._latest().get("resources") or []]

    def ids(self, kind: str) -> set[str]:
        """Ids of the resources of a type of `lambdacloud`, such as `Instance`."""
        resources = self._latest().get("resources") or []
        return {r["id"] for r in resources if r["type"].endswith(f"lambdacloud:{kind}") and not r.get("delete")}

    def pending(self) -> list[dict[str, Any]]:
        """Operations that a killed run has left unfinished in the state."""
        return list(self._latest().get("pending_operations") or [])

    @property
    def _checkpoint(self) -> Path:
        return self._state / "stacks" / self._name / f"{STACK}.json"

    def _latest(self) -> dict[str, Any]:
        # Read from the state's file, which takes no time; `pulumi stack export` takes a second.
        return dict(json.loads(self._checkpoint.read_text())["checkpoint"].get("latest") or {})

    def is_locked(self) -> bool:
        """True when a killed CLI has left its lock."""
        return any((self._state / "locks").rglob("*.json"))

    def start(self, command: str, output: int = subprocess.PIPE) -> "subprocess.Popen[str]":
        """Start `up`, `destroy` or `refresh` and go on."""
        return subprocess.Popen(
            ["pulumi", "--non-interactive", command, "--yes", "--skip-preview"],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def kill_up_when(self, seen: Callable[[], bool], *, plugins_too: bool = True) -> None:
        """Start `pulumi up`, and kill it as soon as something is seen; then give the stack's lock back."""
        self.kill_when("up", seen, plugins_too=plugins_too)

    def kill_when(
        self, command: str, seen: Callable[[], bool], *, plugins_too: bool = True, may_end: bool = False
    ) -> None:
        """The same with `up`, `destroy` or `refresh`; with `may_end` it is no failure when it ends by itself before."""
        with self.start(command, subprocess.DEVNULL) as cli:
            # Asked in this order: what it has done to its end was seen all the same.
            if until(lambda: "seen" if seen() else "ended" if cli.poll() is not None else "", 180) == "ended":
                assert may_end, f"the {command} ended before it was killed"
                return
            family = psutil.Process(cli.pid).children(recursive=True) if plugins_too else []
            os.kill(cli.pid, signal.SIGKILL)
            for process in family:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
        self.pulumi("cancel", "--yes")

    def end_orphans(self) -> None:
        """End what a killed CLI has left: its plugins live on and wait for it for ever."""
        backend = self._environment["PULUMI_BACKEND_URL"]
        for process in psutil.process_iter():
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                if process.environ().get("PULUMI_BACKEND_URL") == backend:
                    process.kill()


def _own_folder(folder: Path, program: Path) -> Path:
    """A folder in which a program runs as this repository's project."""
    made = folder / "project"
    made.mkdir()
    (made / "__main__.py").symlink_to(program)
    (made / "components").symlink_to(REPOSITORY / "components")
    (made / "Pulumi.yaml").symlink_to(REPOSITORY / "Pulumi.yaml")
    # Pulumi.yaml names the environment of the checkout.
    (made / ".venv").symlink_to(Path(sys.prefix))
    return made


def _example(folder: Path, example: Path) -> Path:
    """A copy of an example without anybody's stacks; what it looks for two levels up is there."""
    made = folder / "checkout/examples" / example.name
    shutil.copytree(example, made, symlinks=True, ignore=shutil.ignore_patterns("Pulumi.*.yaml", "__pycache__"))
    (folder / "checkout/components").symlink_to(REPOSITORY / "components")
    (folder / "checkout/.venv").symlink_to(Path(sys.prefix))
    return made


@contextmanager
def project(folder: Path, cloud: LocalCloud, program: Path = REPOSITORY / "__main__.py") -> Iterator[Project]:
    """A project of which nothing is left in the end, whatever a test has left.

    That `pulumi destroy` takes it all away is a promise of its own; here the account is emptied, which is quicker.
    """
    made = Project(folder, cloud, program)
    try:
        yield made
    finally:
        made.end_orphans()
        cloud.empty()
