"""Quotas: what the account may have."""

from pathlib import Path

import pytest

from tests.support.cloud_api.account import Account, Answer, open_account


def _filesystem(account: Account, number: int) -> Answer:
    return account.post("/filesystems", {"name": f"fs{'x' * number}", "region": "us-east-3"})


def _ruleset(account: Account) -> Answer:
    return account.post("/firewall-rulesets", {"name": "set", "region": "us-east-3", "rules": []})


def test_more_instances_than_the_quota_are_refused_until_one_has_ended(tmp_path: Path) -> None:
    with open_account(tmp_path) as account:
        account.control("PUT", "/quotas", {"instances": 1})
        instance_id = account.launched()
    with open_account(tmp_path) as account:
        refused = account.launch()
        assert (refused.status, refused.code, refused.message) == (400, "global/quota-exceeded", "Quota exceeded.")
        account.terminate(instance_id)
        account.until_status(instance_id, None)
        assert account.launch().status == 200


def test_an_account_has_room_for_24_filesystems_unless_said_otherwise(account: Account) -> None:
    assert [_filesystem(account, number).status for number in range(24)] == [200] * 24
    assert _filesystem(account, 25).code == "global/quota-exceeded"
    account.control("PUT", "/quotas", {"filesystems": None})
    assert _filesystem(account, 25).status == 200


def test_a_quota_of_rulesets_leaves_the_others_alone(account: Account) -> None:
    said = account.control("PUT", "/quotas", {"firewall_rulesets": 1})
    assert said == account.control("GET", "/quotas")
    assert said == {"instances": None, "filesystems": 24, "firewall_rulesets": 1}
    assert [_ruleset(account).status for _ in range(2)] == [200, 400]


@pytest.mark.parametrize("body", [{"instances": -1}, {"machines": 1}, {"instances": "two"}])
def test_a_wrong_quota_is_refused_in_one_line(account: Account, body: object) -> None:
    answer = account.call("PUT", "/_localcloud/quotas", body, {})
    assert answer.status == 400
    assert "\n" not in answer.json["error"]
