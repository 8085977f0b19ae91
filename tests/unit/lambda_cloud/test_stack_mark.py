"""The mark of a stack: by it everything of the stack is found, and nothing of anybody else."""

import re
from collections.abc import Iterator

import pulumi
import pytest

from components.lambda_cloud import prefixes
from components.lambda_cloud.api.models import FirewallRule
from components.lambda_cloud.instance.resource import token_options
from components.lambda_cloud.prefixes import claim
from components.lambda_cloud.stack_mark.provider import StackMarkProvider
from components.machine.key_pair.provider import new_pair
from tests.support.emulated import EmulatedCloud
from tests.support.orders import LOST_WRITES

MARK, OTHER = "0123abcd", "99999999"
SSH = FirewallRule(protocol="tcp", port_range=(22, 22), source_network="0.0.0.0/0", description="SSH")


def _rule(description: str) -> FirewallRule:
    return SSH.model_copy(update={"port_range": (8000, 8000), "description": description})


def _delete() -> None:
    StackMarkProvider().delete(MARK, {"mark": MARK})


def test_each_stack_gets_a_mark_of_its_own_of_eight_hexadecimal_digits(plugin: EmulatedCloud) -> None:
    marks = {StackMarkProvider().create({}).id for _ in range(20)}
    assert len(marks) == 20
    assert all(re.fullmatch("[0-9a-f]{8}", mark) for mark in marks)
    assert plugin.requests() == []


def test_the_sweep_takes_what_ends_in_the_mark_and_nothing_else(
    plugin: EmulatedCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    key = new_pair("")[1]
    others = [f"dev-{OTHER}", f"{MARK}-dev", f"dev{MARK}", f"dev-{MARK}-old", "mine"]
    for name in (f"dev-{MARK}", *others):
        plugin.client.add_ssh_key(name, key)
        plugin.client.add_ruleset(name, "us-east-3", [])
    kept = [SSH, _rule(f"web [stack {OTHER}]"), _rule(f"[stack {MARK}] is not ours"), _rule("mine")]
    plugin.client.replace_global_rules([*kept, _rule(f"api [stack {MARK}]")])
    _delete()
    assert sorted(one.name for one in plugin.client.ssh_keys()) == sorted(others)
    assert sorted(one.name for one in plugin.client.rulesets()) == sorted(others)
    assert plugin.client.global_rules() == kept
    assert f"deleting SSH key dev-{MARK}, which this stack made and its state does not know" in capsys.readouterr().out


def test_rulesets_of_every_region_are_swept(plugin: EmulatedCloud) -> None:
    for region in ("us-east-3", "us-west-3"):
        plugin.client.add_ruleset(f"dev-{MARK}", region, [])
    _delete()
    assert plugin.client.rulesets() == []


def test_an_account_in_which_nothing_is_left_is_not_written_to(plugin: EmulatedCloud) -> None:
    _delete()
    assert {entry["method"] for entry in plugin.requests()} == {"GET"}


@pytest.mark.parametrize("fault", LOST_WRITES)
def test_whatever_becomes_of_the_answers_everything_is_swept(plugin: EmulatedCloud, fault: str) -> None:
    plugin.client.add_ssh_key(f"dev-{MARK}", new_pair("")[1])
    plugin.client.add_ruleset(f"dev-{MARK}", "us-east-3", [])
    plugin.fault("delete-ssh-key", fault)
    plugin.fault("delete-firewall-ruleset", fault)
    _delete()
    assert (plugin.client.ssh_keys(), plugin.client.rulesets()) == ([], [])


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A program that makes a stack."""
    monkeypatch.setattr(pulumi.runtime, "get_root_resource", object.__new__(object).__class__.__call__)
    monkeypatch.setattr(prefixes, "_claimed", set())
    root = object()
    monkeypatch.setattr(pulumi.runtime, "get_root_resource", lambda: root)
    yield


def test_a_name_that_a_stack_gives_twice_is_an_error_with_what_to_do(stack: None) -> None:
    claim("firewall ruleset", "dev", "us-east-3")
    with pytest.raises(pulumi.RunError, match="firewall ruleset dev: give one of them another name_prefix") as caught:
        claim("firewall ruleset", "dev", "us-east-3")
    assert "\n" not in str(caught.value)


def test_names_that_differ_in_anything_are_different(stack: None) -> None:
    claim("firewall ruleset", "dev", "us-east-3")
    claim("firewall ruleset", "dev", "us-west-3")
    claim("firewall ruleset", "prod", "us-east-3")
    claim("SSH key", "dev", "us-east-3")


def test_another_stack_may_give_the_same_name(stack: None, monkeypatch: pytest.MonkeyPatch) -> None:
    claim("SSH key", "dev", "key")
    monkeypatch.setattr(pulumi.runtime, "get_root_resource", lambda: "another")
    claim("SSH key", "dev", "key")


def test_a_name_that_is_known_only_later_and_one_outside_a_program_are_not_looked_at(
    stack: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = object()
    claim("SSH key", "dev", later)
    claim("SSH key", "dev", later)
    monkeypatch.setattr(pulumi.runtime, "get_root_resource", lambda: None)
    claim("SSH key", "dev", "key")
    claim("SSH key", "dev", "key")


def test_a_key_of_which_there_are_two_is_not_repeated_in_the_error(stack: None) -> None:
    public_key = new_pair("")[1]
    claim("SSH key", "dev", public_key)
    with pytest.raises(pulumi.RunError, match="SSH key dev:") as caught:
        claim("SSH key", "dev", public_key)
    assert public_key.split()[1] not in str(caught.value)


def test_the_token_of_a_machine_is_kept_and_protected_with_it_and_depends_on_the_same() -> None:
    options = pulumi.ResourceOptions(protect=True, retain_on_delete=True, depends_on=[], aliases=[])
    shared = token_options(options)
    assert (shared.protect, shared.retain_on_delete, shared.depends_on) == (True, True, [])
    assert token_options(None).retain_on_delete is None


def test_what_is_about_the_machine_alone_does_not_concern_its_token() -> None:
    options = pulumi.ResourceOptions(
        delete_before_replace=True, ignore_changes=["name"], replace_on_changes=["tags"], import_="0" * 32, id="1"
    )
    shared = token_options(options)
    assert (shared.import_, shared.id, shared.ignore_changes, shared.replace_on_changes) == (None, None, None, None)


def _urn(type_: str, name: str) -> str:
    return f"urn:pulumi:dev::shop::lambdavllm:machine:GpuMachine$pulumi-python:dynamic/lambdacloud:{type_}::{name}"


def test_a_machine_that_was_renamed_or_moved_in_the_program_keeps_its_token() -> None:
    urn_of_parent = "urn:pulumi:dev::shop::lambdavllm:machine:GpuMachine::gpu"
    options = pulumi.ResourceOptions(
        aliases=[
            pulumi.Alias(name="old"),
            pulumi.Alias(parent=urn_of_parent),
            pulumi.Alias(name="old", parent=None, stack="prod", project="shop", type_="other:index:Machine"),
            _urn("Instance", "old"),
        ]
    )
    renamed, moved, both, urn = token_options(options).aliases or []
    assert isinstance(renamed, pulumi.Alias)
    assert isinstance(moved, pulumi.Alias)
    assert isinstance(both, pulumi.Alias)
    assert vars(renamed) == vars(pulumi.Alias(name="old-launch"))
    assert vars(moved) == vars(pulumi.Alias(parent=urn_of_parent))
    assert vars(both) == vars(pulumi.Alias(name="old-launch", parent=None, stack="prod", project="shop"))
    assert urn == _urn("LaunchToken", "old-launch")
