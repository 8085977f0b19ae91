"""Machines that are refused, break, vanish or are changed by hand: what is said of it, and what repairs it."""

from collections.abc import Iterator

import pytest

from tests.support.account_state import assert_nothing_is_left, assert_state_knows_the_account
from tests.support.local_cloud import LocalCloud
from tests.support.long import cases
from tests.support.pulumi_project import Project

TYPE = "gpu_1x_gh200"
PRICE_CENTS = 229
URN = "urn:pulumi:test::lambda-vllm::pulumi-python:dynamic/lambdacloud:Instance::machine-0"

BOOTS = ("boot-unhealthy", "boot-terminated", "boot-preempted")
ENDS = ("unhealthy", "terminated", "preempted")


def the_error(project: Project) -> str:
    """The one line with which an `up` fails."""
    failed = project.up(succeeds=False)
    assert "Traceback" not in failed.output
    return next(line for line in failed.errors if "error: ResourceError: " in line)


@pytest.fixture
def priced_cloud(api_cloud: LocalCloud) -> Iterator[LocalCloud]:
    """The cloud, which has its old prices back in the end."""
    yield api_cloud
    api_cloud.control("PUT", "/prices", {"instance_type": TYPE, "price_cents_per_hour": PRICE_CENTS})


# Refused


def test_a_refusal_for_lack_of_capacity_is_followed_by_another_try(fleet: Project, api_cloud: LocalCloud) -> None:
    fleet.configure(capacityTimeoutSeconds=60)
    api_cloud.fault("launch", "insufficient-capacity")
    fleet.up()
    assert_state_knows_the_account(fleet, api_cloud, machines=1)
    assert api_cloud.calls("launch") == 2


def test_without_capacity_until_the_deadline_the_error_says_what_was_refused_and_why(
    fleet: Project, api_cloud: LocalCloud
) -> None:
    fleet.configure(capacityTimeoutSeconds=1, regions=["us-east-3", "us-east-1"])
    api_cloud.fault("launch", "insufficient-capacity", times=1000)
    error = the_error(fleet)
    assert "no machine within" in error
    assert f"{TYPE} in us-east-3: listed, but refused for lack of capacity" in error
    assert f"{TYPE} in us-east-1: needs an image for arm64" in error
    assert api_cloud.billing() == []
    api_cloud.control("DELETE", "/faults")
    fleet.up()
    assert_state_knows_the_account(fleet, api_cloud, machines=1)


@pytest.mark.long
def test_without_capacity_listed_nothing_is_launched(fleet: Project, api_cloud: LocalCloud) -> None:
    fleet.configure(capacityTimeoutSeconds=1)
    api_cloud.control("PUT", "/capacity", {"instance_type": TYPE, "regions": []})
    assert f"{TYPE} in us-east-3: no capacity listed" in the_error(fleet)
    assert api_cloud.calls("launch") == 0
    fleet.destroy()
    assert_nothing_is_left(fleet, api_cloud)


@pytest.mark.parametrize("operation", cases(((one, one) for one in ("launch", "create-firewall-ruleset")), {"launch"}))
def test_an_exceeded_quota_is_said_at_once_and_asked_for_once(
    fleet: Project, api_cloud: LocalCloud, operation: str
) -> None:
    fleet.configure(capacityTimeoutSeconds=60)
    api_cloud.fault(operation, "quota-exceeded")
    error = the_error(fleet)
    assert "quota" in error
    assert "Lambda's support" in error
    assert api_cloud.calls(operation) == 1
    fleet.up()
    assert_state_knows_the_account(fleet, api_cloud, machines=1)


def test_a_price_that_rises_after_the_preview_above_the_highest_allowed_launches_nothing(
    fleet: Project, priced_cloud: LocalCloud
) -> None:
    fleet.configure(maxPriceCents=PRICE_CENTS)
    fleet.pulumi("preview")
    priced_cloud.control("PUT", "/prices", {"instance_type": TYPE, "price_cents_per_hour": PRICE_CENTS + 1})
    assert "$2.30" in the_error(fleet)
    assert priced_cloud.calls("launch") == 0
    fleet.configure(maxPriceCents=PRICE_CENTS + 1)
    fleet.up()
    assert_state_knows_the_account(fleet, priced_cloud, machines=1)


# Broken


@pytest.mark.parametrize("kind", cases(((kind, kind) for kind in BOOTS), {"boot-terminated"}))
def test_a_boot_that_fails_is_said_and_refresh_and_up_replace_the_machine(
    fleet: Project, api_cloud: LocalCloud, kind: str
) -> None:
    api_cloud.fault("launch", kind)
    error = the_error(fleet)
    assert "pulumi refresh" in error
    (failed,) = fleet.ids("Instance")
    assert failed in error
    assert set(api_cloud.billing()) == ({failed} if kind == "boot-unhealthy" else set())
    fleet.refresh()
    fleet.up()
    assert_state_knows_the_account(fleet, api_cloud, machines=1)
    assert fleet.ids("Instance") != {failed}
    assert api_cloud.calls("launch") == 2


def test_a_boot_without_end_is_given_up_at_the_deadline_and_the_machine_is_known(
    fleet: Project, api_cloud: LocalCloud
) -> None:
    fleet.configure(bootTimeoutSeconds=2)
    api_cloud.fault("launch", "stuck-booting")
    assert "what is up bills" in the_error(fleet)
    assert_state_knows_the_account(fleet, api_cloud, machines=1)
    fleet.destroy()
    assert_nothing_is_left(fleet, api_cloud)


@pytest.mark.parametrize("status", cases(((status, status) for status in ENDS), ()))
def test_a_machine_that_breaks_or_goes_after_its_boot_is_replaced_by_refresh_and_up(
    fleet: Project, api_cloud: LocalCloud, status: str
) -> None:
    fleet.up()
    (first,) = fleet.ids("Instance")
    api_cloud.control("PATCH", f"/instances/{first}", {"status": status})
    fleet.refresh()
    fleet.up()
    assert_state_knows_the_account(fleet, api_cloud, machines=1)
    assert fleet.ids("Instance") != {first}
    assert api_cloud.calls("launch") == 2


def test_a_machine_that_is_replaced_by_force_is_a_new_one(fleet: Project, api_cloud: LocalCloud) -> None:
    fleet.up()
    (first,) = fleet.ids("Instance")
    fleet.pulumi("up", "--yes", "--skip-preview", "--replace", URN)
    assert_state_knows_the_account(fleet, api_cloud, machines=1)
    assert fleet.ids("Instance") != {first}


# Changed by hand


def test_names_and_rules_that_were_changed_by_hand_are_put_right_and_the_machine_stays(
    fleet: Project, api_cloud: LocalCloud
) -> None:
    fleet.up()
    (ruleset,) = api_cloud.api("GET", "/firewall-rulesets")
    (machine_id,) = fleet.ids("Instance")
    api_cloud.api("POST", f"/instances/{machine_id}", {"name": "mine-now"})
    rule = {"protocol": "tcp", "port_range": [1, 65535], "source_network": "0.0.0.0/0", "description": "by hand"}
    api_cloud.api("PATCH", f"/firewall-rulesets/{ruleset['id']}", {"name": "renamed", "rules": [rule]})
    fleet.refresh()
    fleet.up()
    assert [one["name"] for one in api_cloud.api("GET", "/instances") if one["id"] == machine_id] == ["fleet"]
    (repaired,) = api_cloud.api("GET", "/firewall-rulesets")
    assert repaired["name"] == ruleset["name"]
    assert repaired["rules"] == ruleset["rules"]
    assert fleet.ids("Instance") == {machine_id}
    assert_state_knows_the_account(fleet, api_cloud, machines=1)


@pytest.mark.parametrize("kind", cases(((kind, kind) for kind in ("ssh-keys", "firewall-rulesets")), {"ssh-keys"}))
def test_a_key_or_ruleset_deleted_by_hand_comes_back_with_the_machine(
    fleet: Project, api_cloud: LocalCloud, kind: str
) -> None:
    fleet.up()
    # While a machine has it, Lambda does not let it go.
    (first,) = fleet.ids("Instance")
    api_cloud.control("PATCH", f"/instances/{first}", {"status": "terminated"})
    (deleted,) = api_cloud.ids(kind)
    api_cloud.api("DELETE", f"/{kind}/{deleted}")
    fleet.refresh()
    fleet.up()
    assert_state_knows_the_account(fleet, api_cloud, machines=1)


# Not shown, not ended


@pytest.mark.parametrize("seconds", cases({"10-s-at-lambdas-pace": 0.4, "longer": 1.5}.items(), {"longer"}))
def test_a_machine_that_the_list_does_not_show_yet_is_waited_for(
    fleet: Project, api_cloud: LocalCloud, seconds: float
) -> None:
    api_cloud.fault("launch", "invisible", seconds=seconds)
    fleet.up()
    assert_state_knows_the_account(fleet, api_cloud, machines=1)
    assert api_cloud.calls("launch") == 1


KILLED_EARLY = {
    f"{word}-to-the-state-{command}": (is_known, command)
    for word, is_known in {"known": True, "unknown": False}.items()
    for command in ("up", "destroy")
}


@pytest.mark.parametrize(
    ("is_known", "command"),
    cases(KILLED_EARLY.items(), {"unknown-to-the-state-up"}),
)
def test_a_machine_that_does_not_show_yet_when_pulumi_is_killed_is_no_second_one_and_not_left(
    fleet: Project, api_cloud: LocalCloud, is_known: bool, command: str
) -> None:
    # Patience is twelve looks, 9 s at this pace.
    fleet.set_environment(LAMBDA_CLOUD_REQUEST_INTERVAL="0.15")
    api_cloud.fault("launch", "invisible", seconds=6)
    fleet.kill_up_when(lambda: bool(api_cloud.billing()))
    if not is_known and fleet.ids("Instance"):
        # As if the kill had come before the answer.
        fleet.pulumi("state", "delete", URN, "--yes", "--force", "--target-dependents")
    fleet.pulumi(command, "--yes", "--skip-preview")
    assert api_cloud.calls("launch") == 1
    if command == "up":
        assert_state_knows_the_account(fleet, api_cloud, machines=1)
    else:
        assert_nothing_is_left(fleet, api_cloud)


def test_a_machine_that_lambda_does_not_end_fails_the_destroy_and_stays_known(
    fleet: Project, api_cloud: LocalCloud
) -> None:
    fleet.up()
    api_cloud.fault("terminate", "ignored", times=1000)
    failed = fleet.destroy(succeeds=False)
    assert any("may still be billing" in line and "pulumi destroy" in line for line in failed.errors)
    assert "Traceback" not in failed.output
    assert_state_knows_the_account(fleet, api_cloud, machines=1)
    api_cloud.control("DELETE", "/faults")
    fleet.destroy()
    assert_nothing_is_left(fleet, api_cloud)
