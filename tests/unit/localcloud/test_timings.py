"""How long instances take to come up, and what may become of them later."""

from pathlib import Path

import pytest

from localcloud.machines.timings import boot_times
from tests.support.cloud_api.account import Account, open_account

DRAWS = range(1, 200)


def test_boots_take_as_long_as_was_seen_live_and_never_all_the_same() -> None:
    times = [boot_times(0, "gpu_1x_gh200", number) for number in DRAWS]
    assert all(22 <= one.address <= 71 for one in times)
    assert all(113 <= one.active <= 250 for one in times)
    assert all(27 <= one.active - one.ssh <= 62 for one in times)
    assert all(one.address < one.ssh for one in times)
    assert len({one.active for one in times}) == len(DRAWS)


def test_machines_with_more_gpus_take_longer() -> None:
    assert all(600 <= boot_times(0, "gpu_8x_h100_sxm5", number).active <= 900 for number in DRAWS)


def test_boots_are_the_same_for_a_seed() -> None:
    first = [boot_times(1, "gpu_1x_a10", number) for number in DRAWS]
    assert [boot_times(1, "gpu_1x_a10", number) for number in DRAWS] == first
    assert [boot_times(2, "gpu_1x_a10", number) for number in DRAWS] != first


@pytest.mark.parametrize("restarted", [False, True], ids=["at-once", "over-a-restart"])
def test_an_active_instance_can_be_taken_away_after_a_while(tmp_path: Path, restarted: bool) -> None:
    with open_account(tmp_path) as account:
        account.fault("launch", "preempted", seconds=2)
        instance_id = account.launched()
        account.until_status(instance_id, "active")
        if not restarted:
            _see_it_taken_away(account, instance_id)
    if restarted:
        with open_account(tmp_path, time_scale=1.0) as account:
            _see_it_taken_away(account, instance_id)


def _see_it_taken_away(account: Account, instance_id: str) -> None:
    account.until(lambda: account.status(instance_id) in ("preempted", None))
    assert account.billed() == []


def test_an_instance_that_will_be_taken_away_can_be_terminated_before(account: Account) -> None:
    account.fault("launch", "preempted", seconds=60)
    instance_id = account.launched()
    account.until_status(instance_id, "active")
    account.terminate(instance_id)
    account.until_status(instance_id, None)
