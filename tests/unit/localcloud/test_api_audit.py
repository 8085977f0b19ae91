"""What was done to the account is written down."""

from pathlib import Path

import pytest

from localcloud.api import audit
from tests.support.cloud_api.account import PUBLIC_KEY, Account, open_account


def _events(account: Account, query: str = "") -> list[tuple[str, str]]:
    events = account.get(f"/audit-events{query}").data
    return [(one["resource_name"], one["action"]) for one in events]


def test_every_write_of_the_account_is_recorded_in_order(account: Account) -> None:
    key = account.post("/ssh-keys", {"name": "key", "public_key": PUBLIC_KEY}).data["id"]
    filesystem = account.post("/filesystems", {"name": "weights", "region": "us-east-3"}).data["id"]
    ruleset = account.post("/firewall-rulesets", {"name": "set", "region": "us-east-3", "rules": []}).data["id"]
    account.call("PATCH", f"/api/v1/firewall-rulesets/{ruleset}", {"name": "other"})
    account.call("PATCH", "/api/v1/firewall-rulesets/global", {"rules": []})
    account.call("PUT", "/api/v1/firewall-rules", {"data": []})
    instance = account.launched()
    account.until_status(instance, "active")
    account.post(f"/instances/{instance}", {"name": "mine"})
    account.post("/instance-operations/restart", {"instance_ids": [instance]})
    account.until_status(instance, "active")
    account.terminate(instance)
    account.until_status(instance, None)
    for path in (f"ssh-keys/{key}", f"filesystems/{filesystem}", f"firewall-rulesets/{ruleset}"):
        assert account.call("DELETE", f"/api/v1/{path}").status == 200
    assert _events(account) == [
        ("ssh_key", "created"),
        ("filesystem", "created"),
        ("firewall_ruleset", "created"),
        ("firewall_ruleset", "updated"),
        ("firewall_ruleset", "updated"),
        ("firewall_ruleset", "updated"),
        ("instance", "launched"),
        ("instance", "updated"),
        ("instance", "restarted"),
        ("instance", "terminated"),
        ("ssh_key", "deleted"),
        ("filesystem", "deleted"),
        ("firewall_ruleset", "deleted"),
    ]
    launched = account.get("/audit-events?resource_type=cloud.instance").data[0]
    assert launched["resource_lrns"] == [f"lrn:cloud:instance:{instance}"]
    assert launched["additional_details"] == {
        "instance_lrn": f"lrn:cloud:instance:{instance}",
        "instance_type": "gpu_1x_gh200",
        "region": "us-east-3",
    }
    assert account.api_key not in str(launched)


def test_what_is_refused_and_what_is_only_read_is_not_recorded(account: Account) -> None:
    account.post("/ssh-keys", {"name": ""})
    account.launch()
    account.get("/instances")
    assert _events(account) == []


def test_events_come_in_pages(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "PAGE_SIZE", 2)
    for name in ("a", "b", "c", "d", "e"):
        account.post("/ssh-keys", {"name": name, "public_key": PUBLIC_KEY})
        account.post("/filesystems", {"name": name, "region": "us-east-3"})
    for query, count in (("", 10), ("&resource_type=cloud.filesystem", 5), ("&resource_type=cloud.dragon", 0)):
        seen: list[str] = []
        token = None
        while True:
            page = account.get(f"/audit-events?{f'page_token={token}' if token else ''}{query}").json
            seen += [event["event_id"] for event in page["data"]]
            token = page["page_token"]
            if token is None:
                break
            assert len(page["data"]) == 2
        assert len(seen) == len(set(seen)) == count


def test_a_time_range_includes_both_of_its_ends(account: Account) -> None:
    for name in ("a", "b", "c"):
        account.post("/filesystems", {"name": name, "region": "us-east-3"})
    times = [event["event_time"] for event in account.get("/audit-events").data]
    found = account.get(f"/audit-events?start={times[1]}&end={times[1]}").data
    assert times[1] in [event["event_time"] for event in found]
    assert len(account.get(f"/audit-events?start={times[1]}").data) >= 2
    assert account.get("/audit-events?end=2020-01-01T00:00:00Z").data == []


@pytest.mark.parametrize(
    "query",
    ["start=yesterday", "end=2026-01-01", "end=2026-13-01T00:00:00Z", "page_token=x", "page_token=eyJu"],
)
def test_a_wrong_query_is_refused_by_name(account: Account, query: str) -> None:
    answer = account.get(f"/audit-events?{query}")
    assert (answer.status, answer.code) == (400, "global/invalid-parameters")
    assert f"'{query.split('=')[0]}'" in answer.message


def test_events_outlive_the_cloud(tmp_path: Path) -> None:
    with open_account(tmp_path) as account:
        account.post("/ssh-keys", {"name": "key", "public_key": PUBLIC_KEY})
        before = account.get("/audit-events").data
    with open_account(tmp_path) as account:
        assert account.get("/audit-events").data == before
        assert len(before) == 1
