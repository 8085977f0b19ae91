"""The control side: faults, the journal, forced states."""

from pathlib import Path

import pytest

from tests.unit.localcloud.account import Account, open_account


def _fault(account: Account, operation: str, kind: str, times: int = 1) -> None:
    account.control("POST", "/faults", {"operation": operation, "kind": kind, "times": times})


def test_a_fault_strikes_its_operation_so_many_times_and_no_other(account: Account) -> None:
    _fault(account, "list-instances", "error-500", times=2)
    assert account.get("/regions").status == 200
    assert [account.get("/instances").status for _ in range(3)] == [500, 500, 200]


def test_faults_of_an_operation_come_in_the_order_asked_for(account: Account) -> None:
    _fault(account, "list-instances", "error-429")
    _fault(account, "list-instances", "error-500")
    assert [account.get("/instances").status for _ in range(3)] == [429, 500, 200]


def test_a_rate_limit_fault_is_not_json(account: Account) -> None:
    _fault(account, "instance-types", "error-429")
    assert account.get("/instance-types").text == "error code: 1015"


def test_a_capacity_fault_refuses_the_launch_and_makes_nothing(account: Account) -> None:
    account.launched()
    _fault(account, "launch", "insufficient-capacity")
    assert account.launch().code == "instance-operations/launch/insufficient-capacity"
    assert len(account.get("/instances").data) == 1


def test_a_reply_dropped_after_the_act_leaves_an_instance(account: Account) -> None:
    account.launched()
    _fault(account, "launch", "drop-after")
    assert account.launch().status is None
    assert len(account.get("/instances").data) == 2


def test_a_connection_dropped_before_the_act_leaves_none(account: Account) -> None:
    account.launched()
    _fault(account, "launch", "drop-before")
    assert account.launch().status is None
    assert len(account.get("/instances").data) == 1


def test_faults_can_be_called_off(account: Account) -> None:
    _fault(account, "list-instances", "error-500", times=9)
    account.control("DELETE", "/faults")
    assert account.get("/instances").status == 200


def test_a_call_with_a_wrong_key_uses_up_no_fault(account: Account) -> None:
    _fault(account, "list-instances", "error-500")
    assert account.call("GET", "/api/v1/instances", headers={}).status == 401
    assert account.get("/instances").status == 500


@pytest.mark.parametrize(
    ("body", "part"),
    [
        ({"operation": "fly", "kind": "error-500"}, "operation 'fly' is not one of"),
        ({"operation": "launch", "kind": "explode"}, "kind 'explode' is not one of"),
        ({"operation": "launch", "kind": "error-500", "times": 0}, "times"),
        ({"operation": "launch", "kind": "error-500", "time": 1}, "time"),
        ([], "object"),
    ],
)
def test_a_wrong_fault_is_refused_in_one_line(account: Account, body: object, part: str) -> None:
    answer = account.call("POST", "/_localcloud/faults", body, {})
    assert answer.status == 400
    assert part in answer.json["error"]
    assert "\n" not in answer.json["error"]


def test_the_journal_tells_what_was_asked_and_what_came_of_it(account: Account) -> None:
    _fault(account, "get-instance", "drop-before")
    account.get("/instances")
    account.get("/nothing")
    account.get(f"/instances/{'0' * 32}")
    account.call("GET", "/api/v1/ssh-keys", headers={})
    entries = account.control("GET", "/requests")
    assert [(one["method"], one["operation"], one["status"], one["service"]) for one in entries] == [
        ("GET", "list-instances", 200, "lambda"),
        ("GET", "unknown", 404, "lambda"),
        ("GET", "get-instance", None, "lambda"),
        ("GET", "list-ssh-keys", 401, "lambda"),
    ]
    assert entries[0]["path"] == "/api/v1/instances"
    assert entries[0]["milliseconds"] > 0
    assert [one["time"] for one in entries] == sorted(one["time"] for one in entries)
    account.control("DELETE", "/requests")
    assert account.control("GET", "/requests") == []


@pytest.mark.parametrize("status", ["unhealthy", "booting", "preempted", "terminated"])
def test_a_forced_status_is_what_the_api_says(tmp_path: Path, status: str) -> None:
    with open_account(tmp_path, time_scale=0.005) as account:
        instance_id = account.launched()
        account.wait(0.35)
        assert account.status(instance_id) == "active"
        changed = account.control("PATCH", f"/instances/{instance_id}", {"status": status})
        assert changed["status"] == status
        assert account.status(instance_id) == status


def test_a_forced_status_during_the_boot_is_not_overwritten_by_its_end(tmp_path: Path) -> None:
    with open_account(tmp_path, time_scale=0.005) as account:
        instance_id = account.launched()
        assert account.status(instance_id) == "booting"
        account.control("PATCH", f"/instances/{instance_id}", {"status": "unhealthy"})
        account.wait(0.4)
        assert account.status(instance_id) == "unhealthy"


def test_wrong_orders_to_the_control_side_are_refused(account: Account) -> None:
    unknown = account.call("PATCH", f"/_localcloud/instances/{'0' * 32}", {"status": "active"}, {})
    assert unknown.status == 404
    instance_id = account.launched()
    asleep = account.call("PATCH", f"/_localcloud/instances/{instance_id}", {"status": "asleep"}, {})
    assert asleep.status == 400
    capacity = {"instance_type": "gpu_1x_gh200", "regions": ["mars-1"]}
    assert account.call("PUT", "/_localcloud/capacity", capacity, {}).status == 400
