"""A bad day at Lambda, lived through with the real engine: some more runs, and never a machine too many."""

from pathlib import Path

import pytest

from tests.support.account_state import assert_nothing_is_left, assert_state_knows_the_account
from tests.support.local_cloud import LocalCloud, local_cloud
from tests.support.long import cases
from tests.support.pulumi_project import Project, Run

RUNS = 8
"""How often a command may be run until it succeeds."""
MACHINES = 2


def _until_it_succeeds(project: Project, cloud: LocalCloud, command: str, scenario: str, seed: int) -> None:
    """Run a command again while it fails, under a scenario that is over after it."""
    faults = cloud.control("POST", "/scenario", {"name": scenario, "seed": seed})
    assert faults
    runs: list[Run] = []
    while not runs or (runs[-1].status != 0 and len(runs) < RUNS):
        runs.append(project.pulumi(command, "--yes", "--skip-preview", succeeds=None))
    cloud.control("DELETE", "/faults")
    assert runs[-1].status == 0, "\n".join(run.output for run in runs)
    assert all("Traceback" not in run.output for run in runs)


@pytest.mark.parametrize("scenario", cases(((one, one) for one in ("bad-tuesday", "flaky-network")), {"bad-tuesday"}))
def test_a_bad_day_costs_some_more_runs_and_leaves_account_and_state_equal(
    fleet: Project, api_cloud: LocalCloud, scenario: str
) -> None:
    fleet.configure(count=MACHINES, capacityTimeoutSeconds=60)
    _until_it_succeeds(fleet, api_cloud, "up", scenario, seed=2)
    assert_state_knows_the_account(fleet, api_cloud, MACHINES)
    _until_it_succeeds(fleet, api_cloud, "destroy", scenario, seed=3)
    assert_nothing_is_left(fleet, api_cloud)
    failed = [one for one in api_cloud.requests() if one["status"] is None or one["status"] >= 400]
    assert failed, "nothing went wrong on that day"


def test_a_cloud_can_be_brought_up_with_its_trouble(tmp_path: Path) -> None:
    flags = ["--scenario=bad-tuesday", "--seed=2", "--capacity-seed=5"]
    with local_cloud(tmp_path / "state", "none", more_options=flags) as cloud:
        faults = cloud.control("GET", "/faults")
        assert faults
        assert cloud.control("GET", "/capacity-drift") == {"seed": 5}
        cloud.control("DELETE", "/faults")
        assert cloud.control("POST", "/scenario", {"name": "bad-tuesday", "seed": 2}) == faults
