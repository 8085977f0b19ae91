"""Filesystems of the account, and what a launch makes of them."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.cloud_api.account import Account, Answer, open_account

UNKNOWN = "0" * 32


def _made(account: Account, name: str = "weights", region: str = "us-east-3") -> Any:
    return account.post("/filesystems", {"name": name, "region": region}).data


def _delete(account: Account, filesystem_id: str) -> Answer:
    return account.call("DELETE", f"/api/v1/filesystems/{filesystem_id}")


def _is_in_use(account: Account) -> list[bool]:
    return [one["is_in_use"] for one in account.get("/filesystems").data]


def test_a_filesystem_can_be_made_listed_and_deleted(account: Account) -> None:
    made = _made(account)
    assert made == {
        "id": made["id"],
        "name": "weights",
        "mount_point": "/lambda/nfs/weights",
        "created": made["created"],
        "created_by": made["created_by"],
        "is_in_use": False,
        "region": {"name": "us-east-3", "description": "Washington DC, USA"},
        "bytes_used": 0,
    }
    assert len(made["id"]) == 32
    assert made["created_by"].keys() == {"id", "email", "status"}
    assert datetime.fromisoformat(made["created"]).timestamp() == account.clock.now()
    assert account.get("/filesystems").data == account.get("/file-systems").data == [made]
    assert _delete(account, made["id"]).data == {"deleted_ids": [made["id"]]}
    assert account.get("/filesystems").data == []


def test_a_filesystem_outlives_a_restart_of_the_cloud(tmp_path: Path) -> None:
    with open_account(tmp_path) as account:
        made = _made(account)
    with open_account(tmp_path) as account:
        assert account.get("/filesystems").data == [made]


def test_the_other_spelling_cannot_be_written_to(account: Account) -> None:
    answer = account.post("/file-systems", {"name": "weights", "region": "us-east-3"})
    assert answer.status == 405
    assert account.get("/filesystems").data == []


@pytest.mark.parametrize(
    ("body", "part"),
    [
        ({"name": "", "region": "us-east-3"}, "'name'"),
        ({"name": "n" * 61, "region": "us-east-3"}, "'name'"),
        ({"name": "1st", "region": "us-east-3"}, "'name'"),
        ({"name": "my_weights", "region": "us-east-3"}, "'name'"),
        ({"name": "weights\n", "region": "us-east-3"}, "'name'"),
        ({"name": "weights", "region_name": "us-east-3"}, "'region'"),
        ({"name": "weights", "region": "mars-1"}, "Region 'mars-1' does not exist."),
    ],
)
def test_a_wrong_filesystem_is_refused_by_the_name_of_the_field(account: Account, body: object, part: str) -> None:
    answer = account.post("/filesystems", body)
    assert (answer.status, answer.code) == (400, "global/invalid-parameters")
    assert part in answer.message
    assert account.get("/filesystems").data == []


def test_a_name_is_given_once_in_the_whole_account(account: Account) -> None:
    _made(account, region="us-east-3")
    answer = account.post("/filesystems", {"name": "weights", "region": "us-west-1"})
    assert (answer.status, answer.code) == (400, "global/duplicate")
    assert len(account.get("/filesystems").data) == 1


def test_deleting_an_unknown_filesystem_says_so(account: Account) -> None:
    answer = _delete(account, UNKNOWN)
    assert (answer.status, answer.code) == (404, "global/object-does-not-exist")
    assert answer.message == "Filesystem was not found."
    assert _delete(account, "abc").code == "global/invalid-parameters"


def test_a_filesystem_in_use_is_not_deleted_until_its_instance_is_gone(tmp_path: Path) -> None:
    with open_account(tmp_path, time_scale=1.0) as account:
        made = _made(account)
        instance_id = account.launched(file_system_names=["weights"])
        assert _is_in_use(account) == [True]
        account.terminate(instance_id)
        assert account.status(instance_id) == "terminating"
        refused = _delete(account, made["id"])
        assert (refused.status, refused.code) == (400, "filesystems/filesystem-in-use")
        account.until_status(instance_id, "terminated")
        assert _is_in_use(account) == [False]
        assert _delete(account, made["id"]).status == 200


def test_a_filesystem_named_at_launch_is_at_its_usual_place(account: Account) -> None:
    made = _made(account)
    instance = account.get(f"/instances/{account.launched(file_system_names=['weights'])}").data
    assert instance["file_system_names"] == ["weights"]
    assert instance["file_system_mounts"] == [{"mount_point": "/lambda/nfs/weights", "file_system_id": made["id"]}]


def test_a_chosen_place_wins_over_the_usual_one(account: Account) -> None:
    weights, caches = _made(account, "weights"), _made(account, "caches")
    mount = {"mount_point": "/data/weights", "file_system_id": weights["id"]}
    instance_id = account.launched(file_system_names=["weights", "caches"], file_system_mounts=[mount])
    instance = account.get(f"/instances/{instance_id}").data
    assert instance["file_system_names"] == ["weights", "caches"]
    usual = {"mount_point": "/lambda/nfs/caches", "file_system_id": caches["id"]}
    assert instance["file_system_mounts"] == [mount, usual]


def test_a_filesystem_can_be_mounted_by_its_id_alone(account: Account) -> None:
    mount = {"mount_point": "/home/ubuntu/weights", "file_system_id": _made(account)["id"]}
    instance = account.get(f"/instances/{account.launched(file_system_mounts=[mount])}").data
    assert instance["file_system_names"] == ["weights"]
    assert instance["file_system_mounts"] == [mount]


def test_two_instances_can_have_one_filesystem(account: Account) -> None:
    made = _made(account)
    first, second = (account.launched(file_system_names=["weights"]) for _ in range(2))
    account.terminate(first)
    account.wait()
    assert _delete(account, made["id"]).code == "filesystems/filesystem-in-use"
    account.terminate(second)
    account.wait()
    assert _delete(account, made["id"]).status == 200


@pytest.mark.parametrize("by_name", [True, False])
def test_a_filesystem_of_another_region_is_refused(account: Account, by_name: bool) -> None:
    account.launched()
    made = _made(account, region="us-west-1")
    mounts = [{"mount_point": "/data/x", "file_system_id": made["id"]}]
    answer = account.launch(**{"file_system_names": ["weights"]} if by_name else {"file_system_mounts": mounts})
    assert (answer.status, answer.code) == (400, "instance-operations/launch/file-system-in-wrong-region")
    assert len(account.get("/instances").data) == 1


def test_an_account_has_at_most_24(account: Account) -> None:
    for number in range(24):
        assert account.post("/filesystems", {"name": f"fs{number}", "region": "us-east-3"}).status == 200
    answer = account.post("/filesystems", {"name": "more", "region": "us-east-3"})
    assert (answer.status, answer.code) == (400, "global/quota-exceeded")
