"""Firewall rulesets and global rules."""

from typing import Any

import pytest

from tests.support.cloud_api.account import Account

SSH = {"protocol": "tcp", "port_range": [22, 22], "source_network": "203.0.113.0/24", "description": "SSH"}
PING = {"protocol": "icmp", "source_network": "0.0.0.0/0", "description": ""}


def _made(account: Account, region: str = "us-east-3") -> Any:
    return account.post("/firewall-rulesets", {"name": "set", "region": region, "rules": [SSH, PING]}).data


def test_a_ruleset_can_be_made_read_changed_and_deleted(account: Account) -> None:
    made = _made(account)
    path = f"/api/v1/firewall-rulesets/{made['id']}"
    assert made["rules"] == [SSH, PING]
    assert made["region"]["name"] == "us-east-3"
    assert made["instance_ids"] == []
    assert account.get("/firewall-rulesets").data == [made] == [account.call("GET", path).data]

    changed = account.call("PATCH", path, {"rules": [PING]}).data
    assert (changed["name"], changed["rules"]) == ("set", [PING])
    assert account.call("PATCH", path, {"name": "other"}).data["rules"] == [PING]
    assert account.call("DELETE", path).data == {}
    gone = account.call("GET", path)
    assert (gone.status, gone.code) == (404, "global/object-does-not-exist")


def test_a_ruleset_knows_its_instances_and_is_not_deleted_before_they_are_gone(account: Account) -> None:
    made = _made(account)
    path = f"/api/v1/firewall-rulesets/{made['id']}"
    instance_id = account.launched(firewall_rulesets=[{"id": made["id"]}])
    assert account.call("GET", path).data["instance_ids"] == [instance_id]
    refused = account.call("DELETE", path)
    assert (refused.status, refused.code) == (400, "firewall-rulesets/firewall-ruleset-in-use")
    account.control("PATCH", f"/instances/{instance_id}", {"status": "terminated"})
    assert account.call("DELETE", path).data == {}


def test_a_bare_address_means_that_address_alone(account: Account) -> None:
    rule = SSH | {"source_network": "203.0.113.7"}
    made = account.post("/firewall-rulesets", {"name": "set", "region": "us-east-3", "rules": [rule]}).data
    assert made["rules"][0]["source_network"] == "203.0.113.7/32"


@pytest.mark.parametrize(
    "wrong",
    [
        SSH | {"port_range": [22]},
        SSH | {"port_range": [0, 22]},
        SSH | {"port_range": [22, 65536]},
        SSH | {"port_range": [23, 22]},
        SSH | {"port_range": None},
        PING | {"port_range": [1, 1]},
        PING | {"protocol": "all"},
        SSH | {"protocol": "sctp"},
        SSH | {"source_network": "203.0.113.300"},
        SSH | {"source_network": "::/0"},
        SSH | {"description": "d" * 129},
    ],
)
def test_a_wrong_rule_is_refused_and_changes_nothing(account: Account, wrong: object) -> None:
    before = account.get("/firewall-rules").data
    answer = account.call("PUT", "/api/v1/firewall-rules", {"data": [wrong]})
    assert (answer.status, answer.code) == (400, "global/invalid-parameters")
    assert answer.message.startswith("Error in request body at 'data.0")
    assert account.get("/firewall-rules").data == before


def test_a_ruleset_of_an_unknown_region_is_refused(account: Account) -> None:
    answer = account.post("/firewall-rulesets", {"name": "set", "region": "mars-1", "rules": []})
    assert (answer.status, answer.message) == (400, "Region 'mars-1' does not exist.")


def test_a_new_account_lets_in_ssh_and_ping(account: Account) -> None:
    rules = account.get("/firewall-rules").data
    assert [(rule["protocol"], rule.get("port_range")) for rule in rules] == [("tcp", [22, 22]), ("icmp", None)]


def test_both_views_of_the_global_rules_are_one(account: Account) -> None:
    account.call("PUT", "/api/v1/firewall-rules", {"data": [SSH]})
    assert account.get("/firewall-rulesets/global").data["rules"] == [SSH]
    account.call("PATCH", "/api/v1/firewall-rulesets/global", {"rules": [PING]})
    assert account.get("/firewall-rules").data == [PING]
    assert account.get("/firewall-rulesets").data == []


def test_the_global_ruleset_cannot_be_deleted(account: Account) -> None:
    assert account.call("DELETE", "/api/v1/firewall-rulesets/global").status == 405
    assert account.get("/firewall-rulesets/global").data["id"] == "global"


@pytest.mark.parametrize("ports", [[22], [22, 23, 24], ["22", "23"], [True, 23], [22.5, 23], None])
def test_ports_are_two_whole_numbers(account: Account, ports: object) -> None:
    rule = {"protocol": "tcp", "port_range": ports, "source_network": "0.0.0.0/0", "description": ""}
    assert account.call("PUT", "/api/v1/firewall-rules", {"data": [rule]}).status == 400


def test_a_whole_number_may_be_written_as_a_fraction(account: Account) -> None:
    rule = {"protocol": "tcp", "port_range": [22.0, 22.0], "source_network": "0.0.0.0/0", "description": ""}
    answer = account.call("PUT", "/api/v1/firewall-rules", {"data": [rule]})
    assert answer.data[0]["port_range"] == [22, 22]
