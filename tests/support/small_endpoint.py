"""An endpoint without vLLM: the small install makes an environment whose `vllm` is the stand-in.

All else is real: the program, the engine, SSH, jobs, uv, weights of the local hub, the service, the swap, TLS.
"""

import json
import shutil
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from localcloud.machines.processes import processes_of
from tests.support.local_cloud import LocalCloud
from tests.support.pulumi_project import Project
from tests.support.small_components import make_small_components
from tests.support.swap_machine import STAND_IN

MODULES = {
    "entrypoints/cli/serve.py": "class ServeSubcommand:\n    pass\n",
    "entrypoints/cli/main.py": """\
from vllm.entrypoints.cli.serve import ServeSubcommand
def main():
    ServeSubcommand.cmd(None)
""",
    "engine/arg_utils.py": """\
import subprocess, sys
class AsyncEngineArgs:
    @classmethod
    def from_cli_args(cls, args):
        return cls()
    def create_model_config(self):
        if status := subprocess.run([sys.executable, f"{sys.prefix}/stand_in_vllm.py", *sys.argv]).returncode:
            sys.exit(status)
""",
}
"""What check_config.py looks for in vLLM: it lets the stand-in look at the configuration."""

PUT_STAND_IN = f"""
stand_in = pathlib.Path(sys.prefix, "{STAND_IN.name}")
stand_in.write_text(pathlib.Path(__file__).with_name(stand_in.name).read_text())
program = pathlib.Path(sys.prefix, "bin/vllm")
program.write_text(f'#!/bin/sh\\nexec {{sys.executable}} {{stand_in}} "$@"\\n')
program.chmod(0o755)
for place, text in {MODULES!r}.items():
    module = pathlib.Path(pluggy.__file__).parents[1] / "vllm" / place
    module.parent.mkdir(parents=True, exist_ok=True)
    module.write_text(text)
"""
"""For the end of the proof, which the new environment's own Python runs."""

MACHINE = "lambdavllm:machine:GpuMachine"

CONFIGURED: dict[str, Any] = {"sshPort": 2222, "maxModelLen": 2048, "allowedCidrs": ["127.0.0.0/8"]}
"""What the stack of `make local` says besides."""


def use_small_endpoint(project: Project, cloud: LocalCloud) -> Path:
    """Give a project a copy of `components/` of its own, of the small endpoint; where that is."""
    components = project.folder / "components"
    # In a copy of an example it is a link to what lies two levels up, as in the checkout.
    while (target := components.parent / components.readlink()).is_symlink():
        components = target
    components.unlink()
    make_small_components(components)
    # Beside the proof, since a machine may see nothing of this computer's files.
    shutil.copy(STAND_IN, components / "on_machine/install")
    proof = components / "on_machine/install/prove.py"
    proof.write_text(proof.read_text() + PUT_STAND_IN)
    project.configure(apiUrl=cloud.url, hfEndpoint=cloud.url, **CONFIGURED)
    return components


@dataclass(frozen=True)
class StateResource:
    """A resource as the state has it."""

    urn: str
    parent: str
    modified: str
    """When Pulumi changed it last."""

    @property
    def name(self) -> str:
        """As the program names it."""
        return self.urn.rpartition("::")[2]

    @property
    def type(self) -> str:
        """Its own, without those of what it belongs to."""
        return self.urn.split("::")[2].rpartition("$")[2]


def state_of(project: Project) -> list[StateResource]:
    """All resources of a stack."""
    found = json.loads(project.export())["deployment"]["resources"]
    return [StateResource(one["urn"], one.get("parent", ""), one.get("modified", "")) for one in found]


def sizes_of_machines(project: Project) -> Counter[str]:
    """How many resources each machine is, by its name: the component and all below it."""
    state = {one.urn: one for one in state_of(project)}
    sizes: Counter[str] = Counter()
    for one in state.values():
        above: StateResource | None = one
        while above is not None:
            if above.type == MACHINE:
                sizes[above.name] += 1
            above = state.get(above.parent)
    return sizes


@dataclass(frozen=True)
class ServingMachine:
    """A machine of the local cloud that serves a model, as seen from inside."""

    cloud: LocalCloud
    instance_id: str

    @property
    def _base(self) -> Path:
        return self.cloud.home(self.instance_id) / ".local/share/lambda-vllm"

    @property
    def jobs(self) -> list[str]:
        """Names of the jobs that were done, in their order."""
        return [entry["job"] for entry in self._lines("jobs.jsonl")]

    @property
    def starts(self) -> list[str]:
        """How each start of the server ended, in their order."""
        return [entry["result"] for entry in self._lines("timeline.jsonl")]

    @property
    def server(self) -> int:
        """Process id of the one server."""
        (server,) = (process for process in self._processes() if _is_server(process))
        return server.pid

    @property
    def releases(self) -> set[str]:
        """Releases of the programs that are on the machine."""
        return {folder.name for folder in (self._base / "releases").iterdir()}

    @property
    def release(self) -> str:
        """The one that everything begins from now."""
        return (self._base / "release").resolve().name

    @property
    def served_from(self) -> str:
        """The release that the server was started from."""
        environment = psutil.Process(self.server).environ()
        return Path(environment["PYTHONPATH"]).name

    def _processes(self) -> list[psutil.Process]:
        return processes_of(self.instance_id)

    def _lines(self, name: str) -> list[dict[str, Any]]:
        file = self._base / name
        return [json.loads(line) for line in file.read_text().splitlines()]


def _is_server(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return any(word.endswith(f"/{STAND_IN.name}") for word in process.cmdline())
    return False
