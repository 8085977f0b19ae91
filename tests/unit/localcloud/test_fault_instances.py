"""Faults of launches and terminations: instances that do not live as they should."""

from pathlib import Path

import pytest

from tests.support.cloud_api.account import Account, open_account


def _doomed(account: Account, kind: str) -> str:
    """An instance that a fault has marked, in an account that has a healthy one too."""
    account.launched()
    account.fault("launch", kind)
    return account.launched()


def test_an_invisible_instance_is_nowhere_but_boots_and_is_billed(account: Account) -> None:
    ruleset = account.post("/firewall-rulesets", {"name": "set", "region": "us-east-3", "rules": []}).data
    account.fault("launch", "invisible", seconds=3)
    instance_id = account.launched(firewall_rulesets=[{"id": ruleset["id"]}])
    account.wait()
    assert account.get("/instances").data == []
    for answer in (account.get(f"/instances/{instance_id}"), account.terminate(instance_id)):
        assert (answer.status, answer.code) == (404, "global/object-does-not-exist")
    assert account.get(f"/firewall-rulesets/{ruleset['id']}").data["instance_ids"] == []
    seen = account.control("GET", "/instances")
    assert [(one["id"], one["status"]) for one in seen] == [(instance_id, "active")]

    account.wait(3)
    assert [one["id"] for one in account.get("/instances").data] == [instance_id]
    assert account.status(instance_id) == "active"
    assert account.terminate(instance_id).status == 200


def test_what_an_invisible_instance_holds_is_in_use(account: Account) -> None:
    filesystem = account.post("/filesystems", {"name": "weights", "region": "us-east-3"}).data
    ruleset = account.post("/firewall-rulesets", {"name": "set", "region": "us-east-3", "rules": []}).data
    account.fault("launch", "invisible")
    account.launched(file_system_names=["weights"], firewall_rulesets=[{"id": ruleset["id"]}])
    key_id = account.get("/ssh-keys").data[0]["id"]
    for path in (f"filesystems/{filesystem['id']}", f"firewall-rulesets/{ruleset['id']}", f"ssh-keys/{key_id}"):
        assert account.call("DELETE", f"/api/v1/{path}").code.endswith("in-use")


def test_an_invisible_instance_stays_so_over_a_restart_of_the_cloud(tmp_path: Path) -> None:
    with open_account(tmp_path) as account:
        account.fault("launch", "invisible", seconds=60)
        instance_id = account.launched()
    with open_account(tmp_path) as account:
        assert account.status(instance_id) is None
        assert account.billed() == [instance_id]


def test_an_instance_stuck_while_booting_never_gets_an_address_and_can_be_terminated(tmp_path: Path) -> None:
    with open_account(tmp_path) as account:
        instance_id = _doomed(account, "stuck-booting")
        account.wait()
    with open_account(tmp_path) as account:
        account.wait()
        assert sorted(one["status"] for one in account.get("/instances").data) == ["active", "booting"]
        assert "ip" not in account.get(f"/instances/{instance_id}").data
        account.terminate(instance_id)
        account.wait()
        assert account.status(instance_id) is None


@pytest.mark.parametrize("status", ["unhealthy", "terminated", "preempted"])
def test_a_boot_can_end_badly_at_the_moment_of_the_address(tmp_path: Path, status: str) -> None:
    with open_account(tmp_path, time_scale=1.0) as account:
        instance_id = _doomed(account, f"boot-{status}")
        assert account.status(instance_id) == "booting"
        account.until_status(instance_id, status)
        assert "ip" not in account.get(f"/instances/{instance_id}").data
        assert [one["id"] for one in account.get("/instances").data][1:] == [instance_id]
        assert (instance_id in account.billed()) == (status == "unhealthy")


def test_an_instance_that_ended_while_booting_is_forgotten_as_usual(tmp_path: Path) -> None:
    with open_account(tmp_path, time_scale=1.0) as account:
        instance_id = _doomed(account, "boot-preempted")
        account.until_status(instance_id, "preempted")
        account.until_status(instance_id, None)


def test_a_doomed_instance_meets_its_end_also_after_a_restart_of_the_cloud(tmp_path: Path) -> None:
    with open_account(tmp_path, time_scale=1.0) as account:
        instance_id = _doomed(account, "boot-unhealthy")
    with open_account(tmp_path) as account:
        account.wait()
        assert account.status(instance_id) == "unhealthy"


def test_a_mark_is_on_one_instance_only(account: Account) -> None:
    account.fault("launch", "stuck-booting")
    first, second = account.launched(), account.launched()
    account.wait()
    assert [account.status(first), account.status(second)] == ["booting", "active"]


def test_an_ignored_termination_is_confirmed_and_never_happens(account: Account) -> None:
    instance_id = account.launched()
    account.wait()
    account.fault("terminate", "ignored")
    ended = account.terminate(instance_id).data["terminated_instances"]
    assert [(one["id"], one["status"]) for one in ended] == [(instance_id, "terminating")]
    account.wait()
    assert account.status(instance_id) == "active"
    account.terminate(instance_id)
    account.wait()
    assert account.status(instance_id) is None


def test_a_termination_that_would_be_ignored_is_refused_like_any_other(account: Account) -> None:
    account.fault("terminate", "ignored")
    assert account.terminate("0" * 32).status == 404


def test_a_slow_termination_takes_so_much_longer_also_over_a_restart_of_the_cloud(tmp_path: Path) -> None:
    with open_account(tmp_path) as account:
        instance_id = account.launched()
        account.fault("terminate", "slow", seconds=3)
        account.terminate(instance_id)
        account.wait()
        assert account.status(instance_id) == "terminating"
    with open_account(tmp_path) as account:
        assert account.status(instance_id) == "terminating"
        account.until_status(instance_id, None)
