"""A checkout with nothing set up, programs to be found, and a local cloud that runs."""

from pathlib import Path

import pytest

from scripts.local.cloud import CloudStatus
from scripts.tools.checkout import Checkout
from scripts.tools.pulumi_cli import SDK

CLOUD = CloudStatus(
    url="http://127.0.0.1:8600",
    api_key="secret_local_key",
    hf_token="hf_with 'quote' and $HOME",
    pid=1,
    ssh_port=2222,
    instances=[],
)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    here = Checkout(tmp_path / "checkout")
    for module, go_version in ((here.cli_module, "1.25.11"), (here.language_host_module, "1.25")):
        module.mkdir(parents=True)
        pins = f"go {go_version}\n\nrequire (\n\t{SDK} v3.259.0 // indirect\n)\n"
        (module / "go.mod").write_text(pins)
        (module / "go.sum").write_text("")
    here.requirements[0].write_text("pulumi==3.272.0\npulumi-command==1.2.1\n")
    here.requirements[1].parent.mkdir()
    here.requirements[1].write_text("-c ../requirements.txt\n")
    here.requirements[-1].write_text("-r requirements.txt\n-r localcloud/requirements.txt\n")
    here.tools.mkdir()
    return here


def executable(file: Path, content: str = "#!/bin/sh\n") -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    file.chmod(0o755)
    return file
