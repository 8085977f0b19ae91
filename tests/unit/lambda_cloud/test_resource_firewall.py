"""The life of a firewall ruleset, with answers that get lost and people who work in the account besides."""

from collections.abc import Callable

import pytest

from components.dynamic.errors import ResourceError
from components.dynamic.inputs import Properties
from components.lambda_cloud import in_use
from components.lambda_cloud.api.client import LambdaClient
from components.lambda_cloud.api.firewall_rules import same_rules
from components.lambda_cloud.api.models import FirewallRule
from components.lambda_cloud.firewall.provider import FirewallRulesetProvider
from tests.support.emulated import EmulatedCloud
from tests.support.orders import GH200, LOST_WRITES, ORDER

SSH: Properties = {"protocol": "tcp", "port_range": [22, 22], "source_network": "0.0.0.0/0", "description": "SSH"}
API: Properties = {"protocol": "tcp", "port_range": [8000, 8000], "source_network": "10.0.0.0/8", "description": ""}
PING: Properties = {"protocol": "icmp", "source_network": "0.0.0.0/0", "description": ""}
RULESET: Properties = (
    FirewallRulesetProvider()
    .check({}, {"name_prefix": "dev", "mark": "0123abcd", "region": "us-east-3", "rules": [SSH, API]})
    .inputs
)
NAME = "dev-0123abcd"


def _changed(**change: object) -> Properties:
    return FirewallRulesetProvider().check({}, {**RULESET, **change}).inputs


def _ports(cloud: EmulatedCloud) -> list[set[int]]:
    """The first ports that each ruleset of the account lets in."""
    return [{rule.port_range[0] for rule in one.rules if rule.port_range} for one in cloud.client.rulesets()]


def test_a_ruleset_is_made_with_its_rules_in_its_region(plugin: EmulatedCloud) -> None:
    made = FirewallRulesetProvider().create(RULESET)
    assert made.outs == {**RULESET, "name": NAME}
    (there,) = plugin.client.rulesets()
    assert (there.id, there.name, there.region.name) == (made.id, NAME, "us-east-3")
    assert _ports(plugin) == [{22, 8000}]


@pytest.mark.parametrize("fault", LOST_WRITES)
def test_whatever_becomes_of_the_answer_one_ruleset_is_made(plugin: EmulatedCloud, fault: str) -> None:
    plugin.fault("create-firewall-ruleset", fault)
    made = FirewallRulesetProvider().create(RULESET)
    assert [one.id for one in plugin.client.rulesets()] == [made.id]


def test_the_ruleset_that_a_killed_run_made_is_taken_over_and_gets_todays_rules(plugin: EmulatedCloud) -> None:
    killed = LambdaClient(plugin.credentials.api_key, plugin.url, plugin.client._limiter)
    left = killed.add_ruleset(NAME, "us-east-3", [FirewallRule(**PING)])
    assert FirewallRulesetProvider().create(RULESET).id == left.id
    assert _ports(plugin) == [{22, 8000}]


def test_a_ruleset_of_the_name_in_another_region_is_another_one(plugin: EmulatedCloud) -> None:
    left = plugin.client.add_ruleset(NAME, "us-west-3", [])
    assert FirewallRulesetProvider().create(RULESET).id != left.id


def test_a_ruleset_that_was_removed_in_this_run_is_made_again_though_an_older_list_shows_it(
    plugin: EmulatedCloud,
) -> None:
    first = FirewallRulesetProvider().create(RULESET)
    plugin.client.rulesets()
    FirewallRulesetProvider().delete(first.id, first.outs or {})
    second = FirewallRulesetProvider().create(RULESET)
    assert [one.id for one in plugin.client.rulesets()] == [second.id]


def test_nothing_has_drifted_when_nobody_was_there(plugin: EmulatedCloud) -> None:
    made = FirewallRulesetProvider().create(RULESET)
    found = FirewallRulesetProvider().read(made.id, made.outs or {})
    assert found.outs == made.outs
    assert FirewallRulesetProvider().diff(made.id, found.outs or {}, RULESET).changes is False


def test_rules_that_somebody_edited_are_seen_and_put_right(plugin: EmulatedCloud) -> None:
    made = FirewallRulesetProvider().create(RULESET)
    plugin.client.change_ruleset(made.id, NAME, [FirewallRule(**SSH), FirewallRule(**PING)])
    plugin.client.rulesets()
    found = FirewallRulesetProvider().read(made.id, made.outs or {}).outs or {}
    diff = FirewallRulesetProvider().diff(made.id, found, RULESET)
    assert (diff.changes, diff.replaces) == (True, [])
    FirewallRulesetProvider().update(made.id, found, RULESET)
    assert _ports(plugin) == [{22, 8000}]


def test_rules_that_ours_can_never_be_are_drift_and_not_an_error(plugin: EmulatedCloud) -> None:
    made = FirewallRulesetProvider().create(RULESET)
    many = [FirewallRule(**{**SSH, "port_range": (22, 22 + n)}) for n in range(25)]
    plugin.client.change_ruleset(made.id, NAME, many)
    plugin.client.rulesets()
    found = FirewallRulesetProvider().read(made.id, made.outs or {}).outs or {}
    assert len(found["rules"]) == 25
    assert FirewallRulesetProvider().diff(made.id, found, RULESET).changes is True


def test_a_network_that_the_cloud_keeps_with_host_bits_is_the_one_that_it_lets_in() -> None:
    kept = FirewallRule(**{**API, "source_network": "10.1.2.3/8"})
    assert same_rules([kept], [FirewallRule(**API)])


def test_a_ruleset_that_somebody_renamed_is_seen_and_gets_its_name_back(plugin: EmulatedCloud) -> None:
    made = FirewallRulesetProvider().create(RULESET)
    for name in ("mine", "other-0123abcd"):
        plugin.client.change_ruleset(made.id, name, [FirewallRule(**SSH), FirewallRule(**API)])
        plugin.client.rulesets()
        found = FirewallRulesetProvider().read(made.id, made.outs or {}).outs or {}
        diff = FirewallRulesetProvider().diff(made.id, found, RULESET)
        assert (diff.changes, diff.replaces) == (True, [])
        FirewallRulesetProvider().update(made.id, found, RULESET)
        assert [one.name for one in plugin.client.rulesets()] == [NAME]


def test_inputs_alone_are_enough_to_read_the_whole_ruleset(plugin: EmulatedCloud) -> None:
    made = FirewallRulesetProvider().create(RULESET)
    assert FirewallRulesetProvider().read(made.id, RULESET).outs == made.outs


def test_a_ruleset_that_is_gone_leaves_the_state(plugin: EmulatedCloud) -> None:
    assert FirewallRulesetProvider().read("f" * 32, {**RULESET, "name": NAME}).id == ""


@pytest.mark.parametrize("fault", ["error-500", "error-503", "error-409", "drop-before", "html", "error-429"])
def test_an_api_that_fails_never_looks_like_a_ruleset_that_is_gone(plugin: EmulatedCloud, fault: str) -> None:
    made = FirewallRulesetProvider().create(RULESET)
    plugin.fault("list-firewall-rulesets", fault, 100)
    with pytest.raises(ResourceError):
        FirewallRulesetProvider().read(made.id, made.outs or {})


@pytest.mark.parametrize("fault", LOST_WRITES)
def test_whatever_becomes_of_the_answer_the_rules_are_changed(plugin: EmulatedCloud, fault: str) -> None:
    made = FirewallRulesetProvider().create(RULESET)
    wanted = _changed(rules=[PING, API], name_prefix="prod")
    plugin.fault("update-firewall-ruleset", fault)
    changed = FirewallRulesetProvider().update(made.id, made.outs or {}, wanted).outs
    assert changed == {**wanted, "name": "prod-0123abcd"}
    (there,) = plugin.client.rulesets()
    assert (there.id, there.name, len(there.rules)) == (made.id, "prod-0123abcd", 2)


def test_a_change_that_was_carried_out_is_not_sent_a_second_time(plugin: EmulatedCloud) -> None:
    made = FirewallRulesetProvider().create(RULESET)
    plugin.fault("update-firewall-ruleset", "drop-after")
    FirewallRulesetProvider().update(made.id, made.outs or {}, _changed(rules=[PING]))
    assert plugin.calls("update-firewall-ruleset") == 1


def test_removing_a_ruleset_that_is_gone_is_a_success(plugin: EmulatedCloud) -> None:
    FirewallRulesetProvider().delete("f" * 32, {**RULESET, "name": NAME})


@pytest.mark.parametrize("fault", LOST_WRITES)
def test_whatever_becomes_of_the_answer_the_ruleset_is_removed(plugin: EmulatedCloud, fault: str) -> None:
    made = FirewallRulesetProvider().create(RULESET)
    plugin.fault("delete-firewall-ruleset", fault)
    FirewallRulesetProvider().delete(made.id, made.outs or {})
    assert plugin.client.rulesets() == []


def _held(cloud: EmulatedCloud) -> tuple[str, str]:
    """A ruleset and the machine that holds it."""
    ruleset = FirewallRulesetProvider().create(RULESET).id
    request = ORDER.request(GH200).model_copy(update={"firewall_rulesets": [{"id": ruleset}]})
    return ruleset, cloud.client.launch(request)


def test_a_ruleset_that_a_machine_still_holds_is_asked_for_again_until_it_is_free(
    cloud: EmulatedCloud, plugin: EmulatedCloud, end_at_first_pause: Callable[[str], None]
) -> None:
    ruleset, instance = _held(cloud)
    end_at_first_pause(instance)
    FirewallRulesetProvider().delete(ruleset, {**RULESET, "name": NAME})
    assert plugin.calls("delete-firewall-ruleset") > 1
    assert plugin.client.rulesets() == []


def test_a_ruleset_that_never_gets_free_is_an_error_that_says_so_and_what_to_do(
    cloud: EmulatedCloud, plugin: EmulatedCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_use, "RELEASE_TIMEOUT_IN_POLLS", 3)
    ruleset, _ = _held(cloud)
    with pytest.raises(ResourceError, match=f"firewall ruleset {NAME} could not be deleted: .*in use") as caught:
        FirewallRulesetProvider().delete(ruleset, {**RULESET, "name": NAME})
    assert "run `pulumi destroy` again" in str(caught.value)
    assert [one.id for one in plugin.client.rulesets()] == [ruleset]
