"""Endpoints of real vLLM on the CPU: real engine, real SSH.

Loading the real thing is what takes long here. So the files of `endpoint` share one stack, in the order of their
names: it comes up, is killed and goes on, is used, changed and attacked, and is destroyed in the end. Whoever changes
it leaves it serving.
"""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
import psutil

from tests.support.local_cloud import LocalCloud, local_cloud
from tests.support.pulumi_project import Project, Run, project

MODEL = "meta-llama/Llama-3.1-8B-Instruct"
# What a model of a few layers needs on two cores. At the temperature that it asks for by itself a random model ends one
# answer in twenty within a dozen tokens; without one it writes as many as a test asks for, and the same each time.
FLAGS = {
    "dtype": "bfloat16",
    "enforce-eager": True,
    "max-num-seqs": 4,
    "override-generation-config.temperature": 0,
}


@dataclass(frozen=True)
class Served:
    """A stack that serves a model."""

    project: Project
    cloud: LocalCloud
    up: Run
    """The update that made it."""

    @property
    def outputs(self) -> dict[str, Any]:
        """Outputs of the stack, secret ones too."""
        return self.project.outputs()

    def client(self) -> openai.OpenAI:
        """OpenAI's own client on the endpoint."""
        return self.client_with(self.outputs["api_key"])

    def client_with(self, api_key: str) -> openai.OpenAI:
        """The same with any key; it trusts the stack's authority, and nothing else."""
        outputs = self.outputs
        trust = ssl.create_default_context(cadata=outputs["ca_certificate"])
        return openai.OpenAI(
            base_url=outputs["endpoint"],
            api_key=api_key,
            max_retries=0,
            timeout=120,
            http_client=openai.DefaultHttpxClient(verify=trust),
        )

    def ca_file(self) -> str:
        """Path of the authority's certificate, for clients that want a file."""
        file = self.cloud.state.parent / "ca.pem"
        file.write_text(self.outputs["ca_certificate"])
        return str(file)

    def home(self) -> Path:
        """Home directory of the machine."""
        return self.cloud.home(self.outputs["instance_id"])

    def answers(self, model: str) -> bool:
        """True when the model gives a token to OpenAI's client."""
        try:
            return bool(self.client().completions.create(model=model, prompt="Hello", max_tokens=1).choices)
        except openai.OpenAIError:
            return False

    def servers(self) -> set[int]:
        """Process ids of the API server."""
        return {process.pid for process in self._processes() if "vllm serve" in _command(process)}

    def engines(self) -> list[psutil.Process]:
        """The processes that compute."""
        return [process for process in self._processes() if "EngineCore" in _command(process)]

    def _processes(self) -> list[psutil.Process]:
        home = str(self.home())
        return [p for p in psutil.process_iter(["environ"]) if (p.info["environ"] or {}).get("HOME") == home]


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline()).replace("bin/vllm serve", "vllm serve")
    except psutil.NoSuchProcess:
        return ""


def accepts(address: str, port: int) -> bool:
    """True when something listens there."""
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex((address, port)) == 0


@contextmanager
def small_stack(folder: Path) -> Iterator[tuple[Project, LocalCloud]]:
    """A stack that is not up yet, with settings that two cores bear, and its cloud."""
    with local_cloud(folder / "cloud") as cloud, project(folder, cloud) as made:
        made.configure(
            apiUrl=cloud.url,
            hfEndpoint=cloud.url,
            sshPort=2222,
            allowedCidrs=["127.0.0.0/8"],
            maxModelLen=512,
            vllmArgs=FLAGS,
        )
        yield made, cloud
