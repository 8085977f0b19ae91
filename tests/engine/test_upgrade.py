"""A stack of an earlier version is taken over: the machine stays, and all that is known of it elsewhere."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from components.text.version import VERSION
from tests.support.account_state import assert_nothing_is_left
from tests.support.kept_stack import KeptStack, kept_stacks, laid_out
from tests.support.polling import until

OURS = "pulumi-python:dynamic/"
"""The types of all that is more than a command on the machine, or a file for it."""
DONE_AGAIN = {"ChangeMarker", "EndpointCheck"}
"""Of these, what is done again when the programs for the machine have changed, as their commands are."""
RENEWED = {"ServerCertificate"}
"""What changes with the age of a stack."""
KEPT = {
    "ApiKey",
    "BootWait",
    "CertificateAuthority",
    "FirewallRuleset",
    "Instance",
    "KeyPair",
    "LaunchToken",
    "ModelPin",
    "SshKey",
    "StackMark",
}


@pytest.fixture(params=kept_stacks(), ids=lambda kept: kept.name)
def earlier(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[KeptStack]:
    with laid_out(request.param, tmp_path) as stack:
        yield stack


def test_a_stack_of_an_earlier_version_is_taken_over_with_its_machine(earlier: KeptStack) -> None:
    # A certificate that has ended is renewed by the update.
    until(lambda: earlier.serves(with_any_age=True), seconds=240)
    before = ids(earlier)
    assert {kind_of(urn) for urn in before} >= KEPT
    changes = {(step["op"], step["urn"]) for step in preview(earlier) if step["op"] != "same"}
    assert {change for change in changes if has_to_stay(change[1])} == set()
    # The refresh goes to the classes that the earlier version has named in the state.
    earlier.project.pulumi("up", "--yes", "--skip-preview", "--refresh")
    assert ids(earlier) == before
    assert earlier.cloud.billing() == [earlier.instance_id]
    assert earlier.project.output("instance_id") == earlier.instance_id
    assert earlier.project.output("version") == VERSION
    assert earlier.serves()
    earlier.project.pulumi("preview", "--expect-no-changes")
    earlier.project.destroy()
    assert_nothing_is_left(earlier.project, earlier.cloud)


def preview(stack: KeptStack) -> list[dict[str, Any]]:
    """What an update would do, a step for each resource."""
    steps: list[dict[str, Any]] = json.loads(stack.project.pulumi("preview", "--json").output)["steps"]
    return steps


def ids(stack: KeptStack) -> dict[str, str]:
    """By URN, of all that has to stay."""
    resources = json.loads(stack.project.export())["deployment"]["resources"]
    return {one["urn"]: one["id"] for one in resources if has_to_stay(one["urn"])}


def has_to_stay(urn: str) -> bool:
    """Whether a new version has no reason to touch it by itself."""
    kind = urn.split("::")[2].rpartition("$")[2]
    return kind.startswith(OURS) and kind_of(urn) not in DONE_AGAIN | RENEWED


def kind_of(urn: str) -> str:
    """The last word of the resource's type."""
    return urn.split("::")[2].rpartition(":")[2]
