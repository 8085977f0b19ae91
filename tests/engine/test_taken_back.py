"""A change that was killed while it was made, and then taken back: what is in force is what the settings say.

The state of such an `up` has the settings of before, so that the engine by itself finds nothing to change.
"""

from pathlib import Path

from tests.engine.test_kills import UNHEARD_S
from tests.support.local_cloud import LocalCloud
from tests.support.pulumi_project import Project

SLOW_MV = f'#!/bin/sh\n/bin/mv "$@" && sleep {UNHEARD_S:.0f}\n'


def secret_file(project: Project, cloud: LocalCloud) -> Path:
    """The private file on the project's machine."""
    return cloud.home(project.output("instance_id")) / ".config/lambda-vllm/secret"


def test_a_port_that_a_killed_up_has_opened_is_closed_by_the_next(machine_project: Project, cloud: LocalCloud) -> None:
    machine_project.up()
    before = cloud.firewall_sources()
    machine_project.configure(allowedCidrs=["198.51.100.0/24"])
    cloud.fault("update-firewall-ruleset", "delay-after", seconds=UNHEARD_S)
    machine_project.kill_up_when(lambda: "198.51.100.0/24" in cloud.firewall_sources())
    machine_project.configure(allowedCidrs=[])
    machine_project.up()
    assert cloud.firewall_sources() == before
    machine_project.pulumi("preview", "--expect-no-changes")


def test_a_secret_that_a_killed_up_has_written_is_written_back_by_the_next(
    machine_project: Project, cloud: LocalCloud
) -> None:
    machine_project.configure_secret("secret", "first")
    machine_project.up()
    file = secret_file(machine_project, cloud)
    assert file.read_text() == "first"
    slow = file.parents[4] / "bin/mv"
    slow.write_text(SLOW_MV)
    slow.chmod(0o755)
    machine_project.configure_secret("secret", "second")
    machine_project.kill_up_when(lambda: file.read_text() == "second")
    slow.unlink()
    machine_project.configure_secret("secret", "first")
    machine_project.up()
    assert file.read_text() == "first"
    machine_project.pulumi("preview", "--expect-no-changes")
