"""A chat template of the user's computer, through the whole program: preview, machine, restart, nothing to change.

Everything is real but vLLM, in whose place the install puts a stand-in that reads the file when it starts.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.local_cloud import LocalCloud
from tests.support.pulumi_project import Project
from tests.support.small_components import make_small_components
from tests.support.swap_machine import STAND_IN

INSTALL_STAND_IN = f"""
program = pathlib.Path(sys.prefix, "bin/vllm")
program.write_text('#!/bin/sh\\nexec {sys.executable} {STAND_IN} "$@"\\n')
program.chmod(0o755)
"""
TEMPLATE = "{% for message in messages %}{{ message.content }}{% endfor %}"


@pytest.fixture
def served(real_project: Project, cloud: LocalCloud) -> Iterator[Project]:
    components = real_project.folder / "components"
    components.unlink()
    make_small_components(components)
    proof = components / "on_machine/install/prove.py"
    proof.write_text(proof.read_text() + INSTALL_STAND_IN)
    real_project.configure(
        allowedCidrs=["127.0.0.0/8"], maxModelLen=2048, vllmArgs={"chat-template": "templates/mine.jinja"}
    )
    yield real_project


def config(home: Path) -> dict[str, str]:
    """Flags of the setting that the machine serves."""
    read: dict[str, str] = json.loads((home / ".config/lambda-vllm/last-known-good/vllm.yaml").read_text())
    return read


def test_a_template_goes_to_the_machine_and_its_content_is_a_setting_of_the_server(
    served: Project, cloud: LocalCloud
) -> None:
    missing = served.pulumi("preview", succeeds=False)
    template = served.folder / "templates/mine.jinja"
    assert f"vllmArgs: chat-template: there is no file {template}" in missing.output
    assert cloud.writes() == []

    template.parent.mkdir()
    template.write_text(TEMPLATE)
    served.pulumi("preview")
    served.up()
    home = cloud.home(served.output("instance_id"))
    first = Path(config(home)["chat-template"])
    assert first.is_relative_to(home)
    assert first.read_text() == TEMPLATE
    served.pulumi("preview", "--expect-no-changes")

    template.write_text(TEMPLATE + "{# new #}")
    changed = served.pulumi("preview")
    assert "vllm-serve" in changed.output
    served.up()
    second = Path(config(home)["chat-template"])
    assert second.read_text() == TEMPLATE + "{# new #}"
    assert second.parents[2] != first.parents[2]
    timeline = (home / ".local/share/lambda-vllm/timeline.jsonl").read_text().splitlines()
    assert [json.loads(line)["result"] for line in timeline] == ["served", "served"]
    served.pulumi("preview", "--expect-no-changes")
