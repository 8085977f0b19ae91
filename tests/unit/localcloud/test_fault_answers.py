"""Faults that change what the client sees: before the act nothing is done, after it everything is."""

import json
from typing import Any

import pytest

from tests.support.cloud_api.account import PUBLIC_KEY, Account

KEY = {"name": "mine", "public_key": PUBLIC_KEY}


def _keys(account: Account) -> list[str]:
    return [key["name"] for key in account.get("/ssh-keys").data]


@pytest.mark.parametrize(
    ("kind", "status", "error"),
    [
        ("error-500", 500, {"code": "global/internal-error", "message": "An internal server error occurred."}),
        ("error-409", 409, {"code": "global/internal-error", "message": "An internal server error occurred."}),
        (
            "error-503",
            503,
            {
                "code": "provider/internal-unavailable",
                "message": "Provider unavailable",
                "suggestion": "Try again shortly",
            },
        ),
    ],
)
def test_an_error_before_the_act_is_in_the_envelope(
    account: Account, kind: str, status: int, error: dict[str, str]
) -> None:
    account.fault("create-ssh-key", kind)
    answer = account.post("/ssh-keys", KEY)
    assert answer.status == status
    assert error.items() <= answer.json["error"].items()
    assert _keys(account) == []


@pytest.mark.parametrize(("kind", "status"), [("error-429", 429), ("html", 502), ("drop-before", None)])
def test_what_the_edge_says_before_the_act_is_not_json(account: Account, kind: str, status: int | None) -> None:
    account.fault("create-ssh-key", kind)
    answer = account.post("/ssh-keys", KEY)
    assert (answer.status, answer.json) == (status, None)
    assert _keys(account) == []


def test_a_rate_limit_fault_is_text_and_a_page_is_html(account: Account) -> None:
    account.fault("list-regions", "error-429")
    account.fault("list-regions", "html")
    assert account.get("/regions").text == "error code: 1015"
    assert account.get("/regions").text.startswith("<!DOCTYPE html>")


def test_a_capacity_fault_refuses_the_launch_and_makes_nothing(account: Account) -> None:
    account.launched()
    account.fault("launch", "insufficient-capacity")
    assert account.launch().code == "instance-operations/launch/insufficient-capacity"
    assert len(account.get("/instances").data) == 1


@pytest.mark.parametrize(
    ("operation", "path"),
    [
        ("launch", "/instance-operations/launch"),
        ("create-filesystem", "/filesystems"),
        ("create-firewall-ruleset", "/firewall-rulesets"),
    ],
)
def test_a_quota_can_be_used_up(account: Account, operation: str, path: str) -> None:
    account.fault(operation, "quota-exceeded")
    answer = account.post(path, {})
    assert (answer.status, answer.code, answer.message) == (400, "global/quota-exceeded", "Quota exceeded.")


@pytest.mark.parametrize(
    ("kind", "status"), [("drop-after", None), ("truncated", None), ("error-500-after", 500), ("html-after", 200)]
)
def test_after_the_act_only_the_answer_is_lost(account: Account, kind: str, status: int | None) -> None:
    account.fault("create-ssh-key", kind)
    answer = account.post("/ssh-keys", KEY)
    assert answer.status == status
    assert answer.json is None or answer.code == "global/internal-error"
    assert _keys(account) == ["mine"]
    assert account.post("/ssh-keys", {"name": "next"}).status == 200


def test_a_refusal_can_be_lost_like_any_answer(account: Account) -> None:
    account.fault("create-ssh-key", "drop-after")
    assert account.post("/ssh-keys", {}).status is None
    assert account.post("/ssh-keys", {}).status == 400


def test_a_truncated_answer_announces_all_and_brings_half(account: Account) -> None:
    whole = account.outcome(account.raw("/regions")).partition(b"\r\n\r\n")[2]
    assert json.loads(whole)["data"] == account.get("/regions").data
    account.fault("list-regions", "truncated")
    head, _, body = account.outcome(account.raw("/regions")).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert f"content-length: {len(whole)}" in head.decode().lower()
    assert body == whole[: len(whole) // 2]
    assert account.control("GET", "/requests")[-1]["status"] is None


def _without_unknown(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_unknown(one) for one in value]
    if isinstance(value, dict):
        return {name: _without_unknown(one) for name, one in value.items() if not name.startswith("unknown_")}
    return value


def test_extra_fields_are_on_every_object_and_change_nothing_else(account: Account) -> None:
    instance_id = account.launched(tags=[{"key": "a1", "value": "v"}])
    account.wait()
    usual = account.get(f"/instances/{instance_id}").data
    account.fault("get-instance", "extra-fields")
    strange = account.get(f"/instances/{instance_id}").data
    assert _without_unknown(strange) == usual
    for known in (strange, strange["region"], strange["instance_type"]["specs"], strange["tags"][0]):
        assert known["unknown_flag"] is None
        assert isinstance(known["unknown_list"], list)


def test_extra_fields_are_on_the_objects_of_a_list_and_on_an_empty_one(account: Account) -> None:
    account.fault("create-ssh-key", "extra-fields")
    made = account.post("/ssh-keys", KEY).data
    account.fault("list-ssh-keys", "extra-fields")
    assert "unknown_flag" in account.get("/ssh-keys").data[0]
    account.fault("delete-ssh-key", "extra-fields")
    assert "unknown_flag" in account.call("DELETE", f"/api/v1/ssh-keys/{made['id']}").data


def test_extra_fields_make_no_extra_instance_types(account: Account) -> None:
    usual = account.get("/instance-types").data
    account.fault("instance-types", "extra-fields")
    strange = account.get("/instance-types").data
    assert strange.keys() == usual.keys()
    assert all("unknown_flag" in offer and "unknown_flag" in offer["instance_type"] for offer in strange.values())


def test_extra_fields_leave_a_refusal_as_it_is(account: Account) -> None:
    account.fault("get-instance", "extra-fields")
    answer = account.get(f"/instances/{'0' * 32}")
    assert (answer.status, answer.code) == (404, "global/object-does-not-exist")


def test_an_unknown_status_is_on_every_instance_and_on_nothing_else(account: Account) -> None:
    instance_id = account.launched()
    account.launched()
    account.wait()
    account.fault("list-instances", "unknown-status")
    assert [one["status"] for one in account.get("/instances").data] == ["migrating"] * 2
    account.fault("get-instance", "unknown-status")
    strange = account.get(f"/instances/{instance_id}").data
    assert strange | {"status": "active"} == account.get(f"/instances/{instance_id}").data
    account.fault("terminate", "unknown-status")
    ended = account.terminate(instance_id).data["terminated_instances"]
    assert [one["status"] for one in ended] == ["migrating"]
