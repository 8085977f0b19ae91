"""A change that was killed while it was made, and then taken back: what is in force is what the settings say.

The state of such an `up` has the settings of before, so that the engine by itself finds nothing to change.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.conftest import one_machine
from tests.engine.test_kills import UNHEARD_S
from tests.support.local_cloud import LocalCloud
from tests.support.pulumi_project import Project

SLOW_MV = f'#!/bin/sh\n/bin/mv "$@" && sleep {UNHEARD_S:.0f}\n'


@pytest.fixture(scope="module")
def machine(session_cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project whose one machine is up and has a secret of the settings."""
    with one_machine(tmp_path_factory.mktemp("machine"), session_cloud) as made:
        made.configure_secret("secret", "first")
        made.up()
        yield made


def secret_file(project: Project, cloud: LocalCloud) -> Path:
    """The private file on the project's machine."""
    return cloud.home(project.output("instance_id")) / ".config/lambda-vllm/secret"


def test_a_port_that_a_killed_up_has_opened_is_closed_by_the_next(machine: Project, cloud: LocalCloud) -> None:
    before = cloud.firewall_sources()
    machine.configure(allowedCidrs=["198.51.100.0/24"])
    cloud.fault("update-firewall-ruleset", "delay-after", seconds=UNHEARD_S)
    machine.kill_up_when(lambda: "198.51.100.0/24" in cloud.firewall_sources())
    machine.configure(allowedCidrs=[])
    machine.up()
    assert cloud.firewall_sources() == before
    machine.pulumi("preview", "--expect-no-changes")


def test_a_secret_that_a_killed_up_has_written_is_written_back_by_the_next(machine: Project, cloud: LocalCloud) -> None:
    file = secret_file(machine, cloud)
    assert file.read_text() == "first"
    slow = file.parents[4] / "bin/mv"
    slow.write_text(SLOW_MV)
    slow.chmod(0o755)
    machine.configure_secret("secret", "second")
    machine.kill_up_when(lambda: file.read_text() == "second")
    slow.unlink()
    machine.configure_secret("secret", "first")
    machine.up()
    assert file.read_text() == "first"
    machine.pulumi("preview", "--expect-no-changes")
