"""The control side: the journal, forced states, capacity, prices. Faults have tests of their own."""

from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from localcloud.machines.timings import ACTIVE_ONE_GPU
from tests.support.cloud_api.account import Account, open_account


def test_the_journal_tells_what_was_asked_and_what_came_of_it(account: Account) -> None:
    account.fault("get-instance", "drop-before")
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
    assert entries[0].keys() == {"time", "method", "path", "operation", "status", "milliseconds", "service"}
    assert entries[0]["milliseconds"] > 0
    assert [one["time"] for one in entries] == sorted(one["time"] for one in entries)
    account.control("DELETE", "/requests")
    assert account.control("GET", "/requests") == []


@pytest.mark.parametrize("status", ["unhealthy", "booting", "preempted", "terminated"])
def test_a_forced_status_is_what_the_api_says(tmp_path: Path, status: str) -> None:
    with open_account(tmp_path, time_scale=1.0) as account:
        instance_id = account.launched()
        account.until_status(instance_id, "active")
        changed = account.control("PATCH", f"/instances/{instance_id}", {"status": status})
        assert changed["status"] == status
        assert account.status(instance_id) == status


def test_a_forced_status_during_the_boot_is_not_overwritten_by_its_end(tmp_path: Path) -> None:
    with open_account(tmp_path, time_scale=1.0) as account:
        instance_id = account.launched()
        assert account.status(instance_id) == "booting"
        account.control("PATCH", f"/instances/{instance_id}", {"status": "unhealthy"})
        # It would be active by then.
        account.wait(ACTIVE_ONE_GPU[1])
        assert account.status(instance_id) == "unhealthy"


def test_wrong_orders_to_the_control_side_are_refused(account: Account) -> None:
    unknown = account.call("PATCH", f"/_localcloud/instances/{'0' * 32}", {"status": "active"}, {})
    assert unknown.status == 404
    instance_id = account.launched()
    asleep = account.call("PATCH", f"/_localcloud/instances/{instance_id}", {"status": "asleep"}, {})
    assert asleep.status == 400
    capacity = {"instance_type": "gpu_1x_gh200", "regions": ["mars-1"]}
    assert account.call("PUT", "/_localcloud/capacity", capacity, {}).status == 400


def test_a_changed_price_is_what_everything_says_from_then_on(tmp_path: Path) -> None:
    change = {"instance_type": "gpu_1x_gh200", "price_cents_per_hour": 449}
    with open_account(tmp_path) as account:
        instance_id = account.launched()
        assert account.control("PUT", "/prices", change) == change
        types = account.get("/instance-types").data
        assert types["gpu_1x_gh200"]["instance_type"]["price_cents_per_hour"] == 449
        assert types["gpu_1x_a10"]["instance_type"]["price_cents_per_hour"] == 129
        assert account.get(f"/instances/{instance_id}").data["instance_type"]["price_cents_per_hour"] == 449
    with open_account(tmp_path) as account:
        assert [one["price_cents_per_hour"] for one in account.control("GET", "/instances")] == [449]


@pytest.mark.parametrize(
    ("body", "part"),
    [
        ({"instance_type": "gpu_1x_abacus", "price_cents_per_hour": 1}, "there is no instance type 'gpu_1x_abacus'"),
        ({"instance_type": "gpu_1x_gh200", "price_cents_per_hour": -1}, "price_cents_per_hour"),
        ({"instance_type": "gpu_1x_gh200", "price_cents_per_hour": 2.5}, "price_cents_per_hour"),
        ({"instance_type": "gpu_1x_gh200"}, "price_cents_per_hour"),
    ],
)
def test_a_wrong_price_is_refused_in_one_line(account: Account, body: object, part: str) -> None:
    answer = account.call("PUT", "/_localcloud/prices", body, {})
    assert answer.status == 400
    assert part in answer.json["error"]
    assert "\n" not in answer.json["error"]


def test_the_api_says_what_time_it_is_by_a_clock_that_can_be_set(account: Account) -> None:
    def date_of(path: str) -> float:
        return parsedate_to_datetime(account.call("GET", path).date).timestamp()

    assert date_of("/api/v1/instances") == account.clock.now()
    others = date_of("/_localcloud/requests")
    account.control("PUT", "/clock", {"ahead_seconds": -86400})
    assert date_of("/api/v1/instances") == account.clock.now() - 86400
    assert date_of("/_localcloud/requests") >= others
    assert account.call("PUT", "/_localcloud/clock", {"ahead_seconds": "later"}, {}).status == 400
