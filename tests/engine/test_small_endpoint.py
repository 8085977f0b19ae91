"""What an endpoint is made of, and what of it a change does again: the small endpoint.

A change of the programs for the machine, and of a file of the user's computer that goes there. From top to bottom.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.local_cloud import LocalCloud
from tests.support.pulumi_project import Project, project
from tests.support.small_endpoint import ServingMachine, sizes_of_machines, state_of, use_small_endpoint

MOST_RESOURCES = 30
MOST_OF_A_MACHINE = 12
MOST_STATE_BYTES = 200_000

TEMPLATE = "{% for message in messages %}{{ message.content }}{% endfor %}"
SENT = {"vllm-programs", "vllm-prepare"}
"""Changes with any of the programs: the archive goes up and is unpacked."""


class SmallEndpoint:
    """The stack, its machine, and its own copy of the programs."""

    def __init__(self, made: Project, cloud: LocalCloud, components: Path) -> None:
        self.project = made
        self._components = components
        made.up()
        self.machine = ServingMachine(cloud, made.output("instance_id"))
        self.home = cloud.home(made.output("instance_id"))

    def template(self) -> Path:
        """The chat template with which the machine serves."""
        setting = self.home / ".config/lambda-vllm/last-known-good/vllm.yaml"
        return Path(json.loads(setting.read_text())["chat-template"])

    def comment_in(self, *folders: str) -> set[str]:
        """Write a comment into folders of the programs, and `up`: names of what Pulumi has changed."""
        for folder in folders:
            file = self._components / "on_machine" / folder / "__init__.py"
            file.write_text(f"{file.read_text()}# One more comment.\n")
        before = {one.urn: one.modified for one in state_of(self.project)}
        self.project.up()
        return {one.name for one in state_of(self.project) if one.modified != before.get(one.urn)}


@pytest.fixture(scope="module")
def endpoint(session_cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallEndpoint]:
    """Up, for all tests of this file: each looks at what its own change does."""
    with project(tmp_path_factory.mktemp("small"), session_cloud) as made:
        yield SmallEndpoint(made, session_cloud, use_small_endpoint(made, session_cloud))


def test_an_endpoint_is_few_resources_and_a_small_state(endpoint: SmallEndpoint) -> None:
    assert len(endpoint.project.resources()) <= MOST_RESOURCES
    assert len(endpoint.project.export().encode()) <= MOST_STATE_BYTES
    (size,) = sizes_of_machines(endpoint.project).values()
    assert size <= MOST_OF_A_MACHINE


def test_nothing_is_done_again_without_a_change(endpoint: SmallEndpoint) -> None:
    machine = endpoint.machine
    jobs, server = machine.jobs, machine.server
    endpoint.project.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
    assert machine.jobs == jobs
    assert machine.server == server


@pytest.mark.parametrize(
    ("folders", "commands", "jobs"),
    [
        # What no work begins with is only sent: these three in one go.
        (("jobs", "shared", "diagnose"), set(), []),
        (("install",), {"vllm-install"}, ["install"]),
        (("weights",), {"vllm-weights"}, ["download"]),
        (("tls",), {"vllm-ready"}, []),
        (("driver",), {"vllm-ready"}, []),
    ],
    ids=" ".join,
)
def test_a_comment_redoes_the_work_of_its_folder_and_leaves_the_server_alone(
    endpoint: SmallEndpoint, folders: tuple[str, ...], commands: set[str], jobs: list[str]
) -> None:
    machine = endpoint.machine
    jobs_before, starts, server = machine.jobs, machine.starts, machine.server
    assert endpoint.comment_in(*folders) == SENT | commands
    assert machine.jobs == jobs_before + jobs
    assert machine.server == server
    assert machine.starts == starts
    # The running server keeps the release that it was started from; all others are gone.
    assert machine.releases == {machine.release, machine.served_from}
    assert machine.release != machine.served_from


def test_a_comment_in_service_is_one_new_start_and_the_release_before_goes_with_the_next_one(
    endpoint: SmallEndpoint,
) -> None:
    machine = endpoint.machine
    jobs, starts, server, release = machine.jobs, machine.starts, machine.server, machine.served_from
    assert endpoint.comment_in("service") == SENT | {"vllm-serve-change", "vllm-serve", "vllm-check"}
    assert machine.jobs == [*jobs, "swap"]
    assert machine.starts == [*starts, "served"]
    assert machine.server != server
    assert machine.served_from == machine.release
    # It served until the swap, long after the new release had come.
    assert machine.releases == {release, machine.release}

    endpoint.comment_in("diagnose")
    assert machine.releases == {machine.release, machine.served_from}


def test_a_template_goes_to_the_machine_and_its_content_is_a_setting_of_the_server(
    endpoint: SmallEndpoint, cloud: LocalCloud
) -> None:
    made, starts = endpoint.project, endpoint.machine.starts
    made.configure(vllmArgs={"chat-template": "templates/mine.jinja"})
    template = made.folder / "templates/mine.jinja"
    missing = made.pulumi("preview", succeeds=False)
    assert f"vllmArgs: chat-template: there is no file {template}" in missing.output
    assert cloud.writes() == []

    template.parent.mkdir()
    template.write_text(TEMPLATE)
    made.up()
    first = endpoint.template()
    assert first.is_relative_to(endpoint.home)
    assert first.read_text() == TEMPLATE
    made.pulumi("preview", "--expect-no-changes")

    template.write_text(TEMPLATE + "{# new #}")
    assert "vllm-serve" in made.pulumi("preview").output
    made.up()
    second = endpoint.template()
    assert second.read_text() == TEMPLATE + "{# new #}"
    assert second.parents[2] != first.parents[2]
    assert endpoint.machine.starts == [*starts, "served", "served"]
    made.pulumi("preview", "--expect-no-changes")
