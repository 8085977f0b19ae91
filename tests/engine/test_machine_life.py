"""A machine under the real engine: made once, kept, brought back, taken away, whatever is killed in between."""

import json
import time

from tests.support.local_cloud import EMPTY_ACCOUNT, LocalCloud
from tests.support.pulumi_project import Project


def test_up_makes_one_machine_and_destroy_leaves_nothing(machine_project: Project, cloud: LocalCloud) -> None:
    machine_project.up()
    assert cloud.billing() == [machine_project.output("instance_id")]
    assert machine_project.output("greeting").startswith("hello from ")
    machine_project.destroy()
    assert cloud.account() == EMPTY_ACCOUNT
    assert machine_project.resources() == []


def test_after_up_preview_refresh_and_a_second_up_find_nothing_to_do(
    machine_project: Project, cloud: LocalCloud
) -> None:
    machine_project.up()
    # The state of the instance goes on from booting to active meanwhile, and that is no change.
    time.sleep(2)
    cloud.forget_requests()
    machine_project.pulumi("preview", "--expect-no-changes")
    machine_project.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes")
    machine_project.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
    assert cloud.writes() == []


def test_a_machine_ended_behind_pulumis_back_comes_back_with_all_that_ran_on_it(
    machine_project: Project, cloud: LocalCloud
) -> None:
    machine_project.up()
    first = machine_project.output("instance_id")
    cloud.control("PATCH", f"/instances/{first}", {"status": "terminated"})
    machine_project.refresh()
    machine_project.up()
    second = machine_project.output("instance_id")
    assert second != first
    assert cloud.billing() == [second]
    machine_project.pulumi("preview", "--expect-no-changes")


def test_a_lost_launch_reply_costs_one_machine_and_no_error(machine_project: Project, cloud: LocalCloud) -> None:
    cloud.fault("launch", "drop-after")
    machine_project.up()
    assert cloud.billing() == [machine_project.output("instance_id")]
    assert cloud.calls("launch") == 1


def test_an_up_killed_right_after_the_launch_is_taken_over_by_the_next(
    machine_project: Project, cloud: LocalCloud
) -> None:
    cloud.fault("launch", "delay-after")
    machine_project.kill_up_when(lambda: bool(cloud.billing()))
    machine_project.up()
    assert cloud.billing() == [machine_project.output("instance_id")]


def test_destroy_alone_ends_a_machine_whose_id_never_reached_the_state(
    machine_project: Project, cloud: LocalCloud
) -> None:
    cloud.fault("launch", "delay-after")
    machine_project.kill_up_when(lambda: bool(cloud.billing()))
    assert not any(kind.endswith("lambdacloud:Instance") for kind in machine_project.resources())
    machine_project.destroy()
    assert cloud.account() == EMPTY_ACCOUNT


def test_a_plugin_that_outlives_its_engine_launches_nothing_when_capacity_comes(
    machine_project: Project, cloud: LocalCloud
) -> None:
    cloud.control("PUT", "/capacity", {"instance_type": "gpu_1x_gh200", "regions": []})
    machine_project.kill_up_when(lambda: cloud.calls("instance-types") > 1, plugins_too=False)
    cloud.control("PUT", "/capacity", {"instance_type": "gpu_1x_gh200", "regions": ["us-east-3"]})
    time.sleep(3)
    assert cloud.billing() == []


def test_a_network_that_may_enter_changes_in_place_and_the_machine_stays(
    machine_project: Project, cloud: LocalCloud
) -> None:
    machine_project.up()
    before = cloud.billing()
    machine_project.configure(allowedCidrs=["203.0.113.7"])
    cloud.forget_requests()
    machine_project.up()
    assert cloud.writes() == ["update-firewall-ruleset"]
    assert cloud.billing() == before


def test_a_machine_that_has_to_be_another_replaces_the_old_one_which_ends_first(
    machine_project: Project, cloud: LocalCloud
) -> None:
    machine_project.up()
    first = machine_project.output("instance_id")
    machine_project.configure(imageFamily="lambda-stack-22-04")
    cloud.forget_requests()
    machine_project.up()
    second = machine_project.output("instance_id")
    assert second != first
    assert cloud.billing() == [second]
    assert cloud.writes() == ["terminate", "launch"]
    assert machine_project.output("greeting").startswith("hello from ")
    machine_project.pulumi("preview", "--expect-no-changes")


def test_a_changed_command_runs_again_on_the_same_machine(machine_project: Project, cloud: LocalCloud) -> None:
    machine_project.up()
    before = cloud.billing()
    machine_project.configure(greeting="welcome")
    machine_project.up()
    assert machine_project.output("greeting").startswith("welcome from ")
    assert cloud.billing() == before


def test_an_unhealthy_machine_ends_the_wait_at_once_and_says_what_to_do(
    machine_project: Project, cloud: LocalCloud
) -> None:
    machine_project.up()
    broken = machine_project.output("instance_id")
    cloud.control("PATCH", f"/instances/{broken}", {"status": "unhealthy"})
    state = json.loads(machine_project.export())
    wait = next(r for r in state["deployment"]["resources"] if r["type"].endswith("lambdacloud:BootWait"))
    machine_project.pulumi("state", "delete", "--yes", "--force", "--target-dependents", wait["urn"])
    failed = machine_project.up(succeeds=False)
    assert any("unhealthy" in line and "pulumi destroy" in line for line in failed.errors)
    assert "Traceback" not in failed.output
    machine_project.destroy()
    assert cloud.account() == EMPTY_ACCOUNT


def test_no_secret_is_in_the_state_in_plain_text(machine_project: Project, cloud: LocalCloud) -> None:
    machine_project.up()
    state = machine_project.export()
    assert cloud.api_key not in state
    assert "PRIVATE KEY" not in state
