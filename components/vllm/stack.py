"""vLLM on a machine: the scripts that do the work there, and the install as a job."""

import re
from pathlib import Path

import pulumi
from pulumi_command import remote

from components.machine.host import SCRIPTS, Host, content_hash

FOLDER = Path(__file__).parent / "scripts"
JOB = Path(__file__).parent.parent / "machine" / "job.sh"
FILES = (JOB, *(FOLDER / name for name in (
    "common.sh",
    "download.sh",
    "explain.py",
    "guard.py",
    "install.sh",
    "serve.sh",
    "start.sh",
    "versions.env",
    "wait_ready.py",
)))  # fmt: skip

INSTALL_TIMEOUT_S = 3600
INSTALL_KEY = content_hash(FOLDER / "install.sh", FOLDER / "versions.env")
"""Changes with what would be installed, so that a changed pin is installed and an unchanged one is not touched."""

_DONE = re.compile(r"^\w+: done in (\d+) s", re.MULTILINE)


class VllmStack(pulumi.ComponentResource):
    """vLLM, installed for the accelerator that the machine says it has."""

    scripts: list[remote.CopyToRemote]
    installed: remote.Command
    install_seconds: pulumi.Output[int | None]

    def __init__(self, name: str, host: Host, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("lambdavllm:vllm:VllmStack", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.scripts = [host.put(f"{name}-{file.name}", file, child) for file in FILES]
        self.installed = host.run(
            f"{name}-install",
            job("install", INSTALL_KEY, INSTALL_TIMEOUT_S, "install.sh"),
            triggers=[INSTALL_KEY],
            opts=pulumi.ResourceOptions(parent=self, depends_on=self.scripts),
        )
        self.install_seconds = seconds_of(self.installed)
        self.register_outputs({})


def job(name: str, key: str, timeout_s: int, script: str, *arguments: str) -> str:
    """Command that runs a script as a job and follows it. The timeout ends the following; the job itself goes on."""
    words = [
        "timeout",
        str(timeout_s),
        "bash",
        f"{SCRIPTS}/job.sh",
        name,
        key,
        "bash",
        f"{SCRIPTS}/{script}",
        *arguments,
    ]
    return " ".join(words)


def seconds_of(command: remote.Command) -> pulumi.Output[int | None]:
    """How long the work of a command took, by its own last line."""
    return pulumi.Output.unsecret(command.stdout).apply(parse_seconds)


def parse_seconds(stdout: str) -> int | None:
    """Seconds in a line such as `install: done in 34 s`; None when there is none."""
    found = _DONE.findall(stdout or "")
    return int(found[-1]) if found else None
