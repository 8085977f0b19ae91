"""Faults: which calls they strike, which are refused, and that all are written down."""

from pathlib import Path

import pytest

from localcloud.api.routes import api_routes
from localcloud.control.routes import operations_of
from localcloud.faults.kinds import KINDS, kind_for
from localcloud.faults.operations import HUB, SSH
from tests.support.cloud_api.account import Account

DOCUMENT = Path(__file__).parents[3] / "docs" / "local-cloud.md"


def test_a_fault_strikes_its_operation_so_many_times_and_no_other(account: Account) -> None:
    account.fault("list-instances", "error-500", times=2)
    assert account.get("/regions").status == 200
    assert [account.get("/instances").status for _ in range(3)] == [500, 500, 200]


def test_faults_of_an_operation_come_in_the_order_asked_for(account: Account) -> None:
    account.fault("list-instances", "error-429")
    account.fault("list-instances", "error-500")
    assert [account.get("/instances").status for _ in range(3)] == [429, 500, 200]


def test_a_fault_may_be_asked_for_as_good_as_for_ever(account: Account) -> None:
    asked = account.fault("list-instances", "error-500", times=10**12)
    assert asked == {"operation": "list-instances", "kind": "error-500", "times": 10**12}
    assert [account.get("/instances").status for _ in range(20)] == [500] * 20


def test_a_kind_that_takes_time_has_a_time_of_its_own(account: Account) -> None:
    assert account.fault("launch", "invisible")["seconds"] == 10
    assert account.fault("launch", "invisible", seconds=0.5)["seconds"] == 0.5


def test_faults_can_be_called_off(account: Account) -> None:
    account.fault("list-instances", "error-500", times=9)
    account.control("DELETE", "/faults")
    assert account.get("/instances").status == 200


def test_a_call_with_a_wrong_key_uses_up_no_fault(account: Account) -> None:
    account.fault("list-instances", "error-500")
    assert account.call("GET", "/api/v1/instances", headers={}).status == 401
    assert account.get("/instances").status == 500


def test_a_call_refused_by_the_edge_uses_up_no_fault(account: Account) -> None:
    account.fault("list-instances", "error-500")
    headers = {"Authorization": f"Bearer {account.api_key}", "User-Agent": "Python-urllib/3.11"}
    assert account.call("GET", "/api/v1/instances", headers=headers).status == 403
    assert account.get("/instances").status == 500


@pytest.mark.parametrize(
    ("body", "part"),
    [
        ({"operation": "fly", "kind": "error-500"}, "operation 'fly' is not one of"),
        ({"operation": "launch", "kind": "explode"}, "kind 'explode' is not one of"),
        ({"operation": "regions", "kind": "error-500"}, "list-regions"),
        ({"operation": "launch", "kind": "slow"}, "kind 'slow' does not fit operation 'launch'; those that do: "),
        ({"operation": "list-images", "kind": "invisible"}, "truncated"),
        ({"operation": "list-images", "kind": "insufficient-capacity"}, "does not fit"),
        ({"operation": "list-images", "kind": "quota-exceeded"}, "does not fit"),
        ({"operation": "list-filesystems", "kind": "unknown-status"}, "does not fit"),
        ({"operation": "launch", "kind": "error-500", "times": 0}, "times"),
        ({"operation": "launch", "kind": "error-500", "time": 1}, "time"),
        ({"operation": "launch", "kind": "error-500", "seconds": 1}, "seconds: kind 'error-500' takes none"),
        ({"operation": "launch", "kind": "delay-after", "seconds": -1}, "seconds"),
        ([], "object"),
    ],
)
def test_a_wrong_fault_is_refused_in_one_line(account: Account, body: object, part: str) -> None:
    answer = account.call("POST", "/_localcloud/faults", body, {})
    assert answer.status == 400
    assert part in answer.json["error"]
    assert "\n" not in answer.json["error"]


def test_a_refusal_names_only_kinds_that_fit() -> None:
    with pytest.raises(ValueError, match="those that do: ") as refusal:
        kind_for("terminate", "stuck-booting")
    named = set(str(refusal.value).split("those that do: ")[1].split(", "))
    assert {"ignored", "slow", "unknown-status", "drop-after"} <= named
    assert not {"invisible", "quota-exceeded", "insufficient-capacity"} & named


def test_no_kind_is_for_an_operation_that_there_is_not() -> None:
    operations = operations_of(api_routes()) | SSH | HUB
    assert {operation for kind in KINDS.values() for operation in kind.operations or ()} <= operations


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_in_the_document(kind: str) -> None:
    assert f"`{kind}`" in DOCUMENT.read_text()
