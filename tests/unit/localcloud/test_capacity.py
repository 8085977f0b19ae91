"""Capacity that is counted, and capacity that comes and goes."""

from itertools import pairwise
from pathlib import Path

import pytest

from localcloud.account import drift
from localcloud.account.drift import level
from tests.support.cloud_api.account import Account, open_account
from tests.support.jumping_clock import JumpingClock

NO_CAPACITY = "instance-operations/launch/insufficient-capacity"
TYPE = "gpu_1x_gh200"


def _listed(account: Account, instance_type: str = TYPE) -> list[str]:
    regions = account.get("/instance-types").data[instance_type]["regions_with_capacity_available"]
    return [region["name"] for region in regions]


def _leave(account: Account, count: int) -> None:
    account.control("PUT", "/capacity", {"instance_type": TYPE, "left": {"us-east-3": count}})


def test_a_launch_uses_a_machine_up_and_its_end_gives_it_back(account: Account) -> None:
    account.launched()
    _leave(account, 1)
    assert _listed(account) == ["us-east-3"]
    second = account.launched()
    assert _listed(account) == []
    assert account.launch().code == NO_CAPACITY
    account.terminate(second)
    account.until_status(second, None)
    assert _listed(account) == ["us-east-3"]
    assert account.launch().status == 200
    assert account.launch().code == NO_CAPACITY


def test_a_machine_that_is_ending_is_not_to_be_had_yet(tmp_path: Path) -> None:
    with open_account(tmp_path, time_scale=1.0) as account:
        first = account.launched()
        _leave(account, 0)
        account.terminate(first)
        assert account.launch().code == NO_CAPACITY


def test_what_is_left_is_kept_over_a_restart_of_the_cloud(tmp_path: Path) -> None:
    with open_account(tmp_path) as account:
        _leave(account, 2)
        account.launched()
    with open_account(tmp_path) as account:
        assert account.launch().status == 200
        assert account.launch().code == NO_CAPACITY


@pytest.mark.parametrize(
    ("body", "part"),
    [
        ({"instance_type": TYPE}, "exactly one of 'regions' and 'left'"),
        ({"instance_type": TYPE, "regions": [], "left": {}}, "exactly one of 'regions' and 'left'"),
        ({"instance_type": TYPE, "left": {"mars-1": 1}}, "there is no region 'mars-1'"),
        ({"instance_type": TYPE, "left": {"us-east-3": -1}}, "greater than or equal to 0"),
    ],
)
def test_wrong_capacity_is_refused_in_one_line(account: Account, body: object, part: str) -> None:
    answer = account.call("PUT", "/_localcloud/capacity", body, {})
    assert answer.status == 400
    assert part in answer.json["error"]
    assert "\n" not in answer.json["error"]


def test_the_level_comes_and_goes_as_its_seed_says_and_alike_for_neighbours() -> None:
    there = [level(7, TYPE, "us-east-3", step) >= drift.SCARCE for step in range(400)]
    assert there == [level(7, TYPE, "us-east-3", step) >= drift.SCARCE for step in range(400)]
    assert 100 < sum(there) < 380
    assert there != [level(8, TYPE, "us-east-3", step) >= drift.SCARCE for step in range(400)]
    changes = sum(one != other for one, other in pairwise(there))
    assert 5 < changes < 200


def test_capacity_drifts_over_a_restart_as_if_there_had_been_none(tmp_path: Path) -> None:
    seen = []
    clock = JumpingClock()
    with open_account(tmp_path, time_scale=1.0, clock=clock) as account:
        assert _listed(account) == ["us-east-3"]
        account.control("PUT", "/capacity-drift", {"seed": 3})
        for _ in range(15):
            account.wait(drift.STEP_SECONDS)
            seen.append(_listed(account))
    with open_account(tmp_path, time_scale=1.0, clock=clock) as account:
        account.control("PUT", "/capacity-drift", {"seed": 3})
        for _ in range(25):
            account.wait(drift.STEP_SECONDS)
            seen.append(_listed(account))
        account.control("PUT", "/capacity-drift", {"seed": None})
        assert _listed(account) == ["us-east-3"]
    expected = [level(3, TYPE, "us-east-3", step) >= drift.SCARCE for step in range(40)]
    assert [bool(one) for one in seen] == expected
    assert 0 < sum(expected) < 40


def test_what_is_listed_may_be_gone_when_it_is_launched(tmp_path: Path) -> None:
    outcomes = set()
    with open_account(tmp_path, time_scale=1.0) as account:
        account.launched()
        account.control("PUT", "/capacity-drift", {"seed": 3})
        for _ in range(40):
            account.wait(drift.STEP_SECONDS)
            outcomes.add((bool(_listed(account)), account.launch().status))
    assert outcomes == {(True, 200), (True, 400), (False, 200), (False, 400)}


def test_what_was_set_by_hand_does_not_drift(tmp_path: Path) -> None:
    with open_account(tmp_path, time_scale=1.0) as account:
        account.control("PUT", "/capacity-drift", {"seed": 3})
        account.control("PUT", "/capacity", {"instance_type": TYPE, "regions": ["us-east-3"]})
        for _ in range(20):
            account.wait(drift.STEP_SECONDS)
            assert _listed(account) == ["us-east-3"]
