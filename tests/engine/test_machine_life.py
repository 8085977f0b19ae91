"""A machine under the real engine: made once, kept, changed, brought back, taken away. From top to bottom.

What is killed or fails in between: test_kills.py, test_faults.py.
"""

import json
from collections.abc import Iterator

import pytest

from tests.engine.conftest import one_machine
from tests.support.local_cloud import EMPTY_ACCOUNT, LocalCloud
from tests.support.pulumi_project import Project


@pytest.fixture(scope="module")
def living(session_cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project whose one machine is up; each test but the last leaves it so."""
    with one_machine(tmp_path_factory.mktemp("living"), session_cloud) as made:
        made.up()
        yield made


def test_up_makes_one_machine(living: Project, cloud: LocalCloud) -> None:
    assert cloud.billing() == [living.output("instance_id")]
    assert living.output("greeting").startswith("hello from ")


def test_no_secret_is_in_the_state_in_plain_text(living: Project, cloud: LocalCloud) -> None:
    state = living.export()
    assert cloud.api_key not in state
    assert "PRIVATE KEY" not in state


def test_after_up_preview_refresh_and_a_second_up_find_nothing_to_do(living: Project, cloud: LocalCloud) -> None:
    cloud.forget_requests()
    living.pulumi("preview", "--expect-no-changes")
    living.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes")
    living.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
    assert cloud.writes() == []


def test_a_network_that_may_enter_changes_in_place_and_the_machine_stays(living: Project, cloud: LocalCloud) -> None:
    before = cloud.billing()
    living.configure(allowedCidrs=["203.0.113.7"])
    cloud.forget_requests()
    living.up()
    assert cloud.writes() == ["update-firewall-ruleset"]
    assert cloud.billing() == before


def test_a_changed_command_runs_again_on_the_same_machine(living: Project, cloud: LocalCloud) -> None:
    before = cloud.billing()
    living.configure(greeting="welcome")
    living.up()
    assert living.output("greeting").startswith("welcome from ")
    assert cloud.billing() == before


def test_a_machine_ended_behind_pulumis_back_comes_back_with_all_that_ran_on_it(
    living: Project, cloud: LocalCloud
) -> None:
    first = living.output("instance_id")
    cloud.control("PATCH", f"/instances/{first}", {"status": "terminated"})
    living.refresh()
    living.up()
    second = living.output("instance_id")
    assert second != first
    assert cloud.billing() == [second]
    living.pulumi("preview", "--expect-no-changes")


def test_a_machine_that_has_to_be_another_replaces_the_old_one_which_ends_first(
    living: Project, cloud: LocalCloud
) -> None:
    first = living.output("instance_id")
    living.configure(imageFamily="lambda-stack-22-04")
    cloud.forget_requests()
    living.up()
    second = living.output("instance_id")
    assert second != first
    assert cloud.billing() == [second]
    assert cloud.writes() == ["terminate", "launch"]
    assert living.output("greeting").startswith("welcome from ")
    living.pulumi("preview", "--expect-no-changes")


def test_an_unhealthy_machine_ends_the_wait_at_once_and_says_what_to_do(living: Project, cloud: LocalCloud) -> None:
    broken = living.output("instance_id")
    cloud.control("PATCH", f"/instances/{broken}", {"status": "unhealthy"})
    state = json.loads(living.export())
    wait = next(r for r in state["deployment"]["resources"] if r["type"].endswith("lambdacloud:BootWait"))
    living.pulumi("state", "delete", "--yes", "--force", "--target-dependents", wait["urn"])
    failed = living.up(succeeds=False)
    assert any("unhealthy" in line and "pulumi destroy" in line for line in failed.errors)
    assert "Traceback" not in failed.output
    living.destroy()
    assert cloud.account() == EMPTY_ACCOUNT
