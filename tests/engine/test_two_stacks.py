"""Several programs of one user keep to one account's limits, and no clock that is set disturbs them."""

import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.engine.conftest import FLEET_PROGRAM
from tests.support.account_state import KINDS, assert_nothing_is_left, assert_state_knows_the_account
from tests.support.local_cloud import LocalCloud, local_cloud
from tests.support.pulumi_cli import REPOSITORY
from tests.support.pulumi_project import Project, project

PACE = 0.25
"""Of Lambda's intervals, that the two programs keep to."""
LAUNCH_INTERVAL_S = 12 * PACE
CLOUD_PACE = 0.2
"""Of the intervals that the cloud enforces: the programs are within them by a fifth, as a request can be late by tenths
of a second on a busy computer. Two programs that did not know of each other would be far above them."""


@pytest.fixture
def limited_cloud(tmp_path: Path) -> Iterator[LocalCloud]:
    """A cloud with Lambda's limits, five times as fast."""
    with local_cloud(tmp_path / "cloud", "none", "0.02", str(CLOUD_PACE)) as running:
        yield running


@pytest.fixture
def two_stacks(limited_cloud: LocalCloud, tmp_path: Path) -> Iterator[tuple[Project, Project]]:
    """Two projects of one user: they share the place where the account's schedule is kept, and nothing else."""
    one_folder, other_folder = tmp_path / "one", tmp_path / "other"
    one_folder.mkdir()
    other_folder.mkdir()
    with (
        project(one_folder, limited_cloud, FLEET_PROGRAM) as one,
        project(other_folder, limited_cloud, FLEET_PROGRAM) as other,
    ):
        for stack in (one, other):
            stack.set_environment(
                XDG_STATE_HOME=str(tmp_path / "notes"),
                LAMBDA_CLOUD_REQUEST_INTERVAL=str(PACE),
                LAMBDA_CLOUD_LAUNCH_INTERVAL=str(LAUNCH_INTERVAL_S),
            )
            stack.configure(apiUrl=limited_cloud.url, count=3, capacityTimeoutSeconds=120, bootTimeoutSeconds=120)
        yield one, other


def run_both(stacks: tuple[Project, Project], command: str) -> None:
    """The same command in both at the same time; both succeed."""
    running = [stack.start(command) for stack in stacks]
    outputs = [process.communicate()[0] for process in running]
    assert [process.returncode for process in running] == [0, 0], outputs


def test_two_ups_at_once_stay_within_the_limits_and_each_gets_its_own_machines(
    two_stacks: tuple[Project, Project], limited_cloud: LocalCloud
) -> None:
    run_both(two_stacks, "up")
    requests = limited_cloud.requests()
    refused = [one["operation"] for one in requests if one["status"] == 429]
    # What was to leave apart comes at once when the computer stands still meanwhile.
    assert len(refused) <= 2
    assert "launch" not in refused
    launches = [one["time"] for one in requests if one["operation"] == "launch"]
    # The cloud itself answers 429 to a launch that comes too soon; what is measured is when each arrived.
    assert all(later - earlier > 12 * CLOUD_PACE * 0.9 for earlier, later in pairwise(launches))
    one, other = two_stacks
    for path, kind in KINDS.items():
        assert one.ids(kind).isdisjoint(other.ids(kind))
        assert limited_cloud.ids(path) == one.ids(kind) | other.ids(kind)
    assert len(one.ids("Instance")) == len(other.ids("Instance")) == 3


def test_the_end_of_one_stack_leaves_the_other_whole(
    two_stacks: tuple[Project, Project], limited_cloud: LocalCloud
) -> None:
    one, other = two_stacks
    run_both(two_stacks, "up")
    one.destroy()
    assert one.resources() == []
    assert_state_knows_the_account(other, limited_cloud, machines=3)
    other.pulumi("preview", "--expect-no-changes")


def test_a_clock_that_is_set_back_and_forth_disturbs_nothing(fleet: Project, api_cloud: LocalCloud) -> None:
    fleet.set_environment(
        PYTHONPATH=str(REPOSITORY / "tests/support/clock_jump"),
        LAMBDA_CLOUD_REQUEST_INTERVAL="0.02",
        LAMBDA_CLOUD_LAUNCH_INTERVAL="0.2",
    )
    fleet.configure(count=2, capacityTimeoutSeconds=60)
    # Lost, so that the waits for what must show are gone through as well.
    api_cloud.fault("launch", "drop-after")
    fleet.up()
    assert_state_knows_the_account(fleet, api_cloud, machines=2)
    assert api_cloud.calls("launch") == 2
    fleet.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes")
    fleet.destroy()
    assert_nothing_is_left(fleet, api_cloud)


def test_the_jumping_clock_of_the_test_does_jump() -> None:
    script = "import time; print(max(abs(time.time() - time.time()) for _ in range(10)) > 3600)"
    environment = {"PYTHONPATH": str(REPOSITORY / "tests/support/clock_jump"), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
