"""What the engine can count on from every resource."""

from typing import ClassVar

import pytest
from pulumi.output import Unknown
from pydantic import Field

from components.dynamic.errors import ResourceError
from components.dynamic.inputs import Inputs, Properties
from components.dynamic.provider import Created
from components.lambda_cloud.api.errors import CloudError
from components.lambda_cloud.firewall.provider import FirewallRulesetProvider
from components.lambda_cloud.instance.provider import InstanceProvider
from components.lambda_cloud.provider import LambdaProvider

UNKNOWN = Unknown()  # type: ignore[no-untyped-call]

INSTANCE: Properties = {
    "instance_types": ["gpu_1x_gh200"],
    "regions": ["us-east-3", "us-east-1"],
    "name": "test",
    "ssh_key_name": "key",
    "launch_token": "0" * 32,
    "image_family": "lambda-stack-24-04",
    "user_data": "#cloud-config\nthe private host key",
    "firewall_rulesets": {"us-east-3": "a", "us-east-1": "b"},
    "tags": {},
    "capacity_timeout_seconds": 60.0,
}


RULESET: Properties = {"name_prefix": "r", "mark": "0" * 8, "region": "us-east-3"}


class BoxInputs(Inputs):
    """Inputs of a made-up resource."""

    size: int = Field(gt=0)
    colour: str = "red"
    password: str | None = Field(default=None, min_length=8)


class BoxProvider(LambdaProvider[BoxInputs]):
    """A made-up resource."""

    inputs: ClassVar[type[Inputs]] = BoxInputs
    updatable: ClassVar[frozenset[str]] = frozenset({"colour"})
    secret_inputs: ClassVar[frozenset[str]] = frozenset({"password"})

    def create_resource(self, inputs: BoxInputs) -> Created:
        if inputs.colour == "mauve":
            raise CloudError("no mauve in stock: choose another colour")
        return Created("box-1", {"weight": inputs.size * 2})


def test_outputs_hold_the_inputs_since_a_later_diff_compares_with_them() -> None:
    outs = BoxProvider().create({"size": 3.0, "colour": "red", "__provider": "p"}).outs
    assert outs == {"size": 3.0, "colour": "red", "weight": 6}


def test_whole_floats_are_the_same_as_the_integers_they_were() -> None:
    assert BoxProvider().diff("box-1", {"size": 3.0, "colour": "red"}, {"size": 3, "colour": "red"}).changes is False


def test_a_change_is_in_place_only_where_the_resource_says_so() -> None:
    provider, old = BoxProvider(), {"size": 3, "colour": "red"}
    recoloured = provider.diff("box-1", old, {"size": 3, "colour": "blue"})
    resized = provider.diff("box-1", old, {"size": 4, "colour": "red"})
    assert (recoloured.changes, recoloured.replaces) == (True, [])
    assert (resized.changes, resized.replaces, resized.delete_before_replace) == (True, ["size"], False)


def test_nothing_is_replaced_for_a_value_that_is_not_known_yet() -> None:
    diff = BoxProvider().diff("box-1", {"size": 3, "colour": "red"}, {"size": UNKNOWN, "colour": "red"})
    assert (diff.changes, diff.replaces) == (True, [])


def test_an_update_keeps_the_outputs_that_did_not_change() -> None:
    old = {"size": 3, "colour": "red", "weight": 6, "__provider": "p"}
    outs = BoxProvider().update("box-1", old, {"size": 3, "colour": "blue", "__provider": "p"}).outs
    assert outs == {"size": 3, "colour": "blue", "weight": 6}


def test_check_fills_in_defaults_and_reports_every_wrong_input_at_once() -> None:
    provider = BoxProvider()
    assert provider.check({}, {"size": 3.0}).inputs == {"size": 3, "colour": "red"}
    failures = provider.check({}, {"size": 0, "lid": True}).failures
    assert sorted(failure.property for failure in failures) == ["lid", "size"]
    missing = provider.check({}, {}).failures
    assert [(failure.property, failure.reason) for failure in missing] == [("size", "is missing")]


def test_unknown_inputs_pass_the_check_untouched_while_the_others_are_checked() -> None:
    unknown = UNKNOWN
    passed = BoxProvider().check({}, {"size": unknown})
    assert passed.inputs["size"] is unknown
    assert passed.failures == []
    assert BoxProvider().check({}, {"size": unknown, "colour": 7}).failures[0].property == "colour"


def test_a_wrong_secret_is_reported_without_the_property_so_that_its_value_is_not_printed() -> None:
    failure = BoxProvider().check({}, {"size": 1, "password": "hunter2"}).failures[0]
    assert failure.property == ""
    assert "password" in failure.reason
    assert "hunter2" not in failure.reason


def test_a_failure_is_one_line_without_cause_or_module() -> None:
    with pytest.raises(ResourceError) as caught:
        BoxProvider().create({"size": 1, "colour": "mauve"})
    assert str(caught.value) == "no mauve in stock: choose another colour"
    assert caught.value.__suppress_context__
    assert type(caught.value).__module__ == "builtins"


@pytest.mark.parametrize(
    "change",
    [
        {"instance_types": ["gpu_1x_h100_pcie", "gpu_1x_gh200"]},
        {"regions": ["us-east-3"], "firewall_rulesets": {"us-east-3": "a"}},
        {"max_price_cents_per_hour": 500},
        {"capacity_timeout_seconds": 3600},
    ],
)
def test_a_running_machine_is_kept_while_it_is_still_one_of_those_asked_for(change: Properties) -> None:
    state = {**INSTANCE, "instance_type": "gpu_1x_gh200", "region": "us-east-3"}
    assert InstanceProvider().diff("1", state, {**INSTANCE, **change}).changes is False


@pytest.mark.parametrize(
    "change",
    [
        {"instance_types": ["gpu_1x_h100_pcie"]},
        {"regions": ["us-east-1"]},
        {"firewall_rulesets": {"us-east-3": "other"}},
        {"user_data": "#cloud-config\nother"},
        {"ssh_key_name": "other"},
    ],
)
def test_what_a_running_machine_cannot_become_replaces_it(change: Properties) -> None:
    state = {**INSTANCE, "instance_type": "gpu_1x_gh200", "region": "us-east-3"}
    diff = InstanceProvider().diff("1", state, {**INSTANCE, **change})
    assert diff.replaces == list(change)
    assert diff.delete_before_replace


def test_a_rename_is_in_place() -> None:
    state = {**INSTANCE, "instance_type": "gpu_1x_gh200", "region": "us-east-3"}
    diff = InstanceProvider().diff("1", state, {**INSTANCE, "name": "other"})
    assert (diff.changes, diff.replaces) == (True, [])


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"instance_types": []}, "instance_types"),
        ({"name": "x" * 65}, "name"),
        ({"tags": {"Big": "x"}}, "tags"),
        ({"tags": {"ok": "x" * 129}}, "tags"),
        ({"user_data": "x" * 1_000_001}, "user_data"),
        ({"image_id": "0" * 32}, "image_family"),
        ({"capacity_timeout_seconds": -1}, "capacity_timeout_seconds"),
        ({"max_price_cents_per_hour": 0}, "max_price_cents_per_hour"),
    ],
)
def test_a_launch_that_the_api_would_refuse_is_refused_before_it_is_sent(change: Properties, wrong: str) -> None:
    failures = InstanceProvider().check({}, {**INSTANCE, **change}).failures
    assert len(failures) == 1
    assert wrong in failures[0].property + failures[0].reason
    assert "private host key" not in failures[0].reason


@pytest.mark.parametrize(
    ("rule", "wrong"),
    [
        ({"protocol": "tcp", "port_range": [8000, 8000], "source_network": "10.0.0/8"}, "not an IPv4 network"),
        ({"protocol": "tcp", "port_range": [8000, 8000], "source_network": "::/0"}, "not an IPv4 network"),
        ({"protocol": "icmp", "port_range": [1, 2], "source_network": "10.0.0.0/8"}, "icmp takes no port_range"),
        ({"protocol": "tcp", "source_network": "10.0.0.0/8"}, "needs a port_range"),
        ({"protocol": "tcp", "port_range": [9, 8], "source_network": "10.0.0.0/8"}, "first, last"),
        ({"protocol": "tcp", "port_range": [0, 8], "source_network": "10.0.0.0/8"}, "greater than or equal to 1"),
    ],
)
def test_a_wrong_firewall_rule_says_what_is_wrong(rule: Properties, wrong: str) -> None:
    given = {**RULESET, "rules": [rule]}
    failures = FirewallRulesetProvider().check({}, given).failures
    assert any(wrong in failure.reason for failure in failures)


def test_rules_are_a_set_of_canonical_networks() -> None:
    provider = FirewallRulesetProvider()
    ssh = {"protocol": "tcp", "port_range": [22.0, 22.0], "source_network": "0.0.0.0/0"}
    api = {"protocol": "tcp", "port_range": [8000.0, 8000.0], "source_network": "203.0.113.7"}
    one = provider.check({}, {**RULESET, "rules": [ssh, api]}).inputs
    canonical = {**api, "source_network": "203.0.113.7/32"}
    other = provider.check({}, {**RULESET, "rules": [canonical, ssh]}).inputs
    assert provider.diff("1", one, other).changes is False


def test_more_rules_than_lambda_honours_are_refused() -> None:
    rule = {"protocol": "tcp", "port_range": [22, 22], "source_network": "0.0.0.0/0"}
    given = {**RULESET, "rules": [{**rule, "port_range": [22, 22 + n]} for n in range(21)]}
    assert "21 rules are too many" in FirewallRulesetProvider().check({}, given).failures[0].reason
