"""Lambda's API failing in every way, at every call: the next run ends with what was asked for, and no more.

A fault strikes the next call of an operation. Some operations of each kind of fault are struck in the same run; that
every one of them was reached is checked, so that none hides another.
"""

from dataclasses import dataclass

import pytest

from tests.support.account_state import assert_nothing_is_left, assert_state_knows_the_account
from tests.support.local_cloud import LocalCloud
from tests.support.long import cases
from tests.support.pulumi_project import Project, Run

KINDS = [
    "drop-before",
    "drop-after",
    "delay-after",
    "error-409",
    "error-429",
    "error-500",
    "error-500-after",
    "error-503",
    "html",
    "html-after",
    "truncated",
    "extra-fields",
]
CARRIED_OUT = {"drop-after", "delay-after", "error-500-after", "html-after", "truncated", "extra-fields"}
"""Kinds that strike after the act."""


@dataclass(frozen=True)
class Struck:
    """The operations that are struck on the way up, and those on the way down."""

    lost: str
    """Carried out on the way up, and its answer lost, so that it is looked for."""
    up: tuple[str, ...]
    down: tuple[str, ...]


GROUPS = {
    "launch-and-end": Struck(
        "create-firewall-ruleset",
        ("list-firewall-rulesets", "create-ssh-key", "launch"),
        ("terminate", "delete-firewall-ruleset", "list-ssh-keys"),
    ),
    "looks": Struck(
        "create-ssh-key",
        ("list-ssh-keys", "create-firewall-ruleset", "instance-types", "list-instances"),
        ("list-instances", "delete-ssh-key", "list-firewall-rulesets"),
    ),
}

STRIKES = {f"{kind}-{name}": (kind, struck) for kind in KINDS for name, struck in GROUPS.items()}
ALWAYS = {"drop-after-launch-and-end", "error-429-looks"}
"""Lost after the act, and refused."""


def strike(cloud: LocalCloud, kind: str, operations: tuple[str, ...]) -> None:
    """Let the next call of each operation go wrong."""
    cloud.forget_requests()
    for operation in operations:
        # Longer than the client waits, for a launch too.
        cloud.fault(operation, kind, seconds=30 if kind == "delay-after" else None)


def run_with_faults(project: Project, cloud: LocalCloud, command: str, operations: tuple[str, ...]) -> None:
    """Run a command that meets its faults, and again when it failed."""
    run = project.pulumi(command, "--yes", "--skip-preview", succeeds=None)
    assert {one: cloud.calls(one) > 0 for one in operations} == dict.fromkeys(operations, True), run.output
    cloud.control("DELETE", "/faults")
    if run.status != 0:
        assert_fails_in_one_line(run)
        project.pulumi(command, "--yes", "--skip-preview")


def assert_fails_in_one_line(run: Run) -> None:
    """The user reads what failed, and no traceback."""
    assert run.status != 0, run.output
    assert any("error: ResourceError: " in line for line in run.errors), run.output
    assert "Traceback" not in run.output


@pytest.mark.parametrize(("kind", "struck"), cases(STRIKES.items(), ALWAYS))
def test_a_fault_costs_at_most_another_run_and_no_second_machine(
    fleet: Project, api_cloud: LocalCloud, kind: str, struck: Struck
) -> None:
    if kind == "delay-after":
        fleet.set_environment(LAMBDA_CLOUD_TIMEOUT="1")
    strike(api_cloud, kind, struck.up)
    api_cloud.fault(struck.lost, "drop-after")
    run_with_faults(fleet, api_cloud, "up", struck.up)
    assert_state_knows_the_account(fleet, api_cloud, machines=1)
    refused = "launch" in struck.up and kind not in CARRIED_OUT
    assert api_cloud.calls("launch") == (2 if refused else 1)
    strike(api_cloud, kind, struck.down)
    run_with_faults(fleet, api_cloud, "destroy", struck.down)
    assert_nothing_is_left(fleet, api_cloud)


def test_a_state_of_an_instance_that_nobody_knows_is_no_failure(fleet: Project, api_cloud: LocalCloud) -> None:
    api_cloud.fault("list-instances", "unknown-status", times=3)
    fleet.up()
    assert_state_knows_the_account(fleet, api_cloud, machines=1)
    assert api_cloud.calls("launch") == 1
    strike(api_cloud, "unknown-status", ("list-instances", "terminate"))
    fleet.destroy()
    assert_nothing_is_left(fleet, api_cloud)


LASTING = [
    ("create-ssh-key", "html"),
    ("create-firewall-ruleset", "drop-before"),
    ("instance-types", "error-503"),
    ("launch", "html"),
    ("launch", "error-429"),
]


@pytest.mark.parametrize(
    ("operation", "kind"),
    cases(
        (("-".join(one), one) for one in LASTING),
        {"create-ssh-key-html", "launch-error-429"},
    ),
)
def test_trouble_that_lasts_fails_the_up_in_one_line_and_the_next_one_goes_on(
    fleet: Project, api_cloud: LocalCloud, operation: str, kind: str
) -> None:
    api_cloud.fault(operation, kind, times=1000)
    assert_fails_in_one_line(fleet.up(succeeds=False))
    assert api_cloud.billing() == []
    api_cloud.control("DELETE", "/faults")
    fleet.up()
    assert_state_knows_the_account(fleet, api_cloud, machines=1)


def test_a_list_of_instances_that_is_not_to_be_had_fails_the_wait_and_the_machine_is_known(
    fleet: Project, api_cloud: LocalCloud
) -> None:
    fleet.configure(bootTimeoutSeconds=1)
    api_cloud.fault("list-instances", "error-429", times=100_000)
    assert_fails_in_one_line(fleet.up(succeeds=False))
    assert_state_knows_the_account(fleet, api_cloud, machines=1)
    api_cloud.control("DELETE", "/faults")
    fleet.configure(bootTimeoutSeconds=None)
    fleet.up()
    assert_state_knows_the_account(fleet, api_cloud, machines=1)
    assert api_cloud.calls("launch") == 1


LOOKS = {
    "launch": "list-instances",
    "create-ssh-key": "list-ssh-keys",
    "create-firewall-ruleset": "list-firewall-rulesets",
}


@pytest.mark.parametrize(
    ("write", "look", "command"),
    cases(
        (
            (f"{write}-{command}", (write, look, command))
            for write, look in LOOKS.items()
            for command in ("up", "destroy")
        ),
        {"launch-up", "create-firewall-ruleset-destroy"},
    ),
)
def test_what_was_made_and_could_not_be_looked_for_is_found_by_the_next_run(
    fleet: Project, api_cloud: LocalCloud, write: str, look: str, command: str
) -> None:
    api_cloud.fault(look, "error-500", times=1000)
    api_cloud.fault(write, "drop-after")
    assert_fails_in_one_line(fleet.up(succeeds=False))
    assert api_cloud.calls(write) == 1
    api_cloud.control("DELETE", "/faults")
    fleet.pulumi(command, "--yes", "--skip-preview")
    if command == "up":
        assert_state_knows_the_account(fleet, api_cloud, machines=1)
        assert api_cloud.calls(write) == 1
    else:
        assert_nothing_is_left(fleet, api_cloud)


@pytest.mark.parametrize("kind", cases(((kind, kind) for kind in ("delay-before", "delay-after")), {"delay-before"}))
def test_a_launch_that_is_given_up_and_carried_out_later_is_no_second_machine(
    fleet: Project, api_cloud: LocalCloud, kind: str
) -> None:
    # A launch is given up after three times the one; the cloud carries it out while it is looked for, 9 s at this pace.
    fleet.set_environment(LAMBDA_CLOUD_TIMEOUT="1", LAMBDA_CLOUD_REQUEST_INTERVAL="0.15")
    fleet.configure(capacityTimeoutSeconds=60)
    api_cloud.fault("launch", kind, seconds=4.5)
    fleet.up()
    assert_state_knows_the_account(fleet, api_cloud, machines=1)
    assert api_cloud.calls("launch") == 1
