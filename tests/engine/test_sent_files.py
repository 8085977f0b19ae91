"""A chat template of the user's computer, through the whole program: preview, machine, restart, nothing to change.

Everything is real but vLLM, in whose place the install puts a stand-in that reads the file when it starts.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.local_cloud import LocalCloud
from tests.support.pulumi_project import Project
from tests.support.small_endpoint import use_small_endpoint

TEMPLATE = "{% for message in messages %}{{ message.content }}{% endfor %}"


@pytest.fixture
def served(real_project: Project, cloud: LocalCloud) -> Iterator[Project]:
    use_small_endpoint(real_project, cloud)
    real_project.configure(vllmArgs={"chat-template": "templates/mine.jinja"})
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
