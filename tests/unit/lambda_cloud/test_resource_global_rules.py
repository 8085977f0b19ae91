"""A stack's own entries among the account's global firewall rules: everybody else's are never touched."""

import pytest

from components.dynamic.errors import ResourceError
from components.dynamic.inputs import Properties
from components.lambda_cloud.api.models import FirewallRule
from components.lambda_cloud.global_rules.provider import GlobalFirewallRulesProvider
from tests.support.emulated import EmulatedCloud
from tests.support.orders import LOST_WRITES

MARK = "0123abcd"
SSH = FirewallRule(protocol="tcp", port_range=(22, 22), source_network="0.0.0.0/0", description="SSH")
PING = FirewallRule(protocol="icmp", source_network="0.0.0.0/0", description="ping")
# Of another stack of this program.
THEIRS = FirewallRule(
    protocol="tcp", port_range=(443, 443), source_network="10.0.0.0/8", description="web [stack 99999999]"
)
API: Properties = {"protocol": "tcp", "port_range": [8000, 8000], "source_network": "10.0.0.0/8", "description": "API"}
OWN_SSH: Properties = {"protocol": "tcp", "port_range": [22, 22], "source_network": "10.0.0.0/8", "description": ""}


def _inputs(*rules: Properties) -> Properties:
    return GlobalFirewallRulesProvider().check({}, {"rules": list(rules), "mark": MARK}).inputs


@pytest.fixture
def shared(plugin: EmulatedCloud) -> EmulatedCloud:
    """An account whose global rules others use too."""
    plugin.client.replace_global_rules([SSH, THEIRS, PING])
    plugin.control("DELETE", "/requests")
    return plugin


def _own(cloud: EmulatedCloud) -> list[str]:
    return [rule.description or "" for rule in cloud.client.global_rules() if MARK in (rule.description or "")]


def _others(cloud: EmulatedCloud) -> list[FirewallRule]:
    return [rule for rule in cloud.client.global_rules() if MARK not in (rule.description or "")]


def _create(*rules: Properties) -> tuple[str, Properties]:
    made = GlobalFirewallRulesProvider().create(_inputs(*rules))
    return made.id, made.outs or {}


def test_own_entries_bear_the_mark_and_all_others_stay_as_they_were(shared: EmulatedCloud) -> None:
    _create(API, OWN_SSH)
    assert sorted(_own(shared)) == ["API [stack 0123abcd]", "[stack 0123abcd]"]
    assert _others(shared) == [SSH, THEIRS, PING]


@pytest.mark.parametrize("fault", LOST_WRITES)
def test_whatever_becomes_of_the_answer_the_entries_are_there_once(shared: EmulatedCloud, fault: str) -> None:
    shared.fault("update-global-firewall-ruleset", fault)
    _create(API)
    assert _own(shared) == ["API [stack 0123abcd]"]
    assert _others(shared) == [SSH, THEIRS, PING]


def test_what_another_run_has_made_already_is_not_written_again(shared: EmulatedCloud) -> None:
    _create(API)
    _create(API)
    assert shared.calls("update-global-firewall-ruleset") == 1
    assert len(_own(shared)) == 1


def test_a_rule_that_somebody_added_meanwhile_survives_a_second_attempt(
    shared: EmulatedCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = FirewallRule(protocol="udp", port_range=(53, 53), source_network="10.0.0.0/8", description="names")
    shared.fault("update-global-firewall-ruleset", "drop-before")

    def somebody_adds() -> None:
        if new not in shared.client.global_rules():
            shared.client.replace_global_rules([*shared.client.global_rules(), new])

    monkeypatch.setattr(shared.client, "pause", somebody_adds)
    _create(API)
    assert _others(shared) == [SSH, THEIRS, PING, new]
    assert _own(shared) == ["API [stack 0123abcd]"]


def test_an_edit_of_own_entries_is_seen_and_restored(shared: EmulatedCloud) -> None:
    id_, outs = _create(API)
    provider = GlobalFirewallRulesProvider()
    assert provider.diff(id_, provider.read(id_, outs).outs or {}, _inputs(API)).changes is False
    edited = [
        rule.model_copy(update={"port_range": (1, 65535)}) if MARK in (rule.description or "") else rule
        for rule in shared.client.global_rules()
    ]
    for found_by_refresh in (edited, [SSH, THEIRS, PING]):
        shared.client.replace_global_rules(found_by_refresh)
        found = provider.read(id_, outs).outs or {}
        diff = provider.diff(id_, found, _inputs(API))
        assert (diff.changes, diff.replaces) == (True, [])
        provider.update(id_, found, _inputs(API))
        assert provider.read(id_, outs).outs == outs
        assert _others(shared) == [SSH, THEIRS, PING]


def test_edits_of_others_are_none_of_our_business(shared: EmulatedCloud) -> None:
    id_, outs = _create(API)
    shared.client.replace_global_rules([rule for rule in shared.client.global_rules() if rule != PING])
    provider = GlobalFirewallRulesProvider()
    assert provider.diff(id_, provider.read(id_, outs).outs or {}, _inputs(API)).changes is False


def test_other_rules_take_the_place_of_the_old_ones(shared: EmulatedCloud) -> None:
    id_, outs = _create(API)
    GlobalFirewallRulesProvider().update(id_, outs, _inputs({**API, "description": "other"}))
    assert _own(shared) == ["other [stack 0123abcd]"]


def test_inputs_alone_are_enough_to_read_the_entries(shared: EmulatedCloud) -> None:
    id_, outs = _create(API)
    assert GlobalFirewallRulesProvider().read(id_, _inputs(API)).outs == outs


@pytest.mark.parametrize("fault", ["error-500", "error-409", "drop-before", "html", "error-429"])
def test_an_api_that_fails_never_looks_like_entries_that_are_gone(shared: EmulatedCloud, fault: str) -> None:
    id_, outs = _create(API)
    shared.fault("get-global-firewall-ruleset", fault, 100)
    with pytest.raises(ResourceError):
        GlobalFirewallRulesProvider().read(id_, outs)


def test_the_end_takes_own_entries_away_and_no_other(shared: EmulatedCloud) -> None:
    id_, outs = _create(API, OWN_SSH)
    GlobalFirewallRulesProvider().delete(id_, outs)
    assert shared.client.global_rules() == [SSH, THEIRS, PING]
    GlobalFirewallRulesProvider().delete(id_, outs)


@pytest.mark.parametrize("fault", LOST_WRITES)
def test_whatever_becomes_of_the_answer_the_entries_are_removed(shared: EmulatedCloud, fault: str) -> None:
    id_, outs = _create(API)
    shared.fault("update-global-firewall-ruleset", fault)
    GlobalFirewallRulesProvider().delete(id_, outs)
    assert shared.client.global_rules() == [SSH, THEIRS, PING]


def test_an_update_that_would_close_ssh_for_the_whole_account_is_refused(shared: EmulatedCloud) -> None:
    id_, outs = _create(OWN_SSH)
    own = [rule for rule in shared.client.global_rules() if MARK in (rule.description or "")]
    shared.client.replace_global_rules([PING, *own])
    with pytest.raises(ResourceError, match="take away the last global firewall rule that lets SSH in"):
        GlobalFirewallRulesProvider().update(id_, outs, _inputs(API))
    assert shared.client.global_rules() == [PING, *own]


def test_the_last_rule_that_lets_ssh_in_stays_when_the_stack_goes_and_is_nobodys_any_more(
    shared: EmulatedCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    id_, outs = _create(OWN_SSH, API)
    own = [rule for rule in shared.client.global_rules() if MARK in (rule.description or "")]
    shared.client.replace_global_rules([PING, *own])
    GlobalFirewallRulesProvider().delete(id_, outs)
    left = shared.client.global_rules()
    assert [(rule.port_range, rule.source_network) for rule in left] == [(None, "0.0.0.0/0"), ((22, 22), "10.0.0.0/8")]
    assert _own(shared) == []
    assert "it is the last one that lets SSH in" in capsys.readouterr().out


@pytest.mark.parametrize(
    "rule", [{"protocol": "all"}, {"port_range": [1, 65535]}, {"protocol": "all", "port_range": [1, 22]}]
)
def test_every_rule_that_covers_port_22_counts_as_letting_ssh_in(shared: EmulatedCloud, rule: Properties) -> None:
    wide = FirewallRule(**{**OWN_SSH, **rule})
    shared.client.replace_global_rules([wide])
    id_, outs = _create(OWN_SSH)
    GlobalFirewallRulesProvider().delete(id_, outs)
    assert [one.source_network for one in shared.client.global_rules()] == ["10.0.0.0/8"]
    assert _own(shared) == []


def test_more_rules_together_than_lambda_honours_are_refused_and_nothing_is_changed(shared: EmulatedCloud) -> None:
    many: list[Properties] = [{**API, "port_range": [8000, 8000 + n]} for n in range(18)]
    with pytest.raises(ResourceError, match="would be 21, and with more than 20"):
        _create(*many)
    assert shared.client.global_rules() == [SSH, THEIRS, PING]
    _create(*many[:17])
    assert len(shared.client.global_rules()) == 20
