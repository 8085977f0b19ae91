"""An endpoint for a file: real engine, real SSH, real vLLM on the CPU.

Its first `pulumi up` is killed in the middle of the install and run again, so that everything after it is tested on a
stack that has been through that.
"""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
import pytest

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
    killed_instance: str
    """The instance that the killed update had launched."""
    second_up: Run
    """The update that went on after it."""

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


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The endpoint of one file, whose last test may take it away; tests that change it come last."""
    folder = tmp_path_factory.mktemp("e2e")
    with small_stack(folder) as (made, cloud):
        made.kill_up_when(lambda: installing(cloud))
        (launched,) = cloud.billing()
        yield Served(made, cloud, launched, made.up())


def installing(cloud: LocalCloud) -> bool:
    """True when a machine is in the middle of the install."""
    progress = cloud.state.glob("machines/*/home/ubuntu/.local/share/lambda-vllm/jobs/install-*/progress")
    return any("installing vLLM" in file.read_text() for file in progress)
