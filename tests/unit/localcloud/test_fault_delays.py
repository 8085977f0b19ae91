"""Faults that take time: nobody else waits for them, and neither does the end of the cloud."""

from pathlib import Path

import pytest

from tests.support.cloud_api.account import GH200, LAUNCH, Account, Answer, open_account

DELAYS = ["delay-before", "delay-after"]


def _launch_impatiently(account: Account) -> None:
    """A launch whose client goes away before it is answered."""
    launch = account.begun("POST", f"/api/v1{LAUNCH}", GH200)
    account.wait(0.5)
    assert not launch.done()
    launch.cancel()
    account.wait()


@pytest.mark.parametrize("kind", DELAYS)
def test_a_delayed_call_is_answered_in_the_end(account: Account, kind: str) -> None:
    account.launched()
    account.fault("launch", kind, seconds=30)
    delayed = account.begun("POST", f"/api/v1{LAUNCH}", GH200)
    account.wait(29)
    assert not delayed.done()
    account.wait(1)
    answer: Answer = account.outcome(delayed)
    assert answer.status == 200
    assert len(account.billed()) == 2


@pytest.mark.parametrize("kind", DELAYS)
def test_a_delayed_call_holds_up_no_other(account: Account, kind: str) -> None:
    account.fault("list-regions", kind, seconds=30)
    delayed = account.raw("/regions")
    account.wait()
    assert account.get("/regions").status == 200
    assert account.get("/instances").status == 200
    assert not delayed.done()


def test_a_call_that_comes_late_is_carried_out_though_its_client_has_gone(account: Account) -> None:
    account.launched()
    account.fault("launch", "delay-before", seconds=2)
    _launch_impatiently(account)
    assert len(account.billed()) == 1
    account.wait(1.5)
    assert len(account.billed()) == 2


def test_a_call_answered_late_was_carried_out_at_once_and_ends_with_its_client(account: Account) -> None:
    account.launched()
    account.fault("launch", "delay-after", seconds=30)
    _launch_impatiently(account)
    assert len(account.billed()) == 2
    account.wait(0.3)
    assert [(one["operation"], one["status"]) for one in account.control("GET", "/requests")][-1] == ("launch", None)


@pytest.mark.parametrize("kind", DELAYS)
def test_the_end_of_the_cloud_waits_for_no_delayed_call(tmp_path: Path, kind: str) -> None:
    with open_account(tmp_path) as account:
        account.fault("list-regions", kind, seconds=60)
        delayed = account.raw("/regions")
        account.wait()
        assert not delayed.done()
        began = account.clock.now()
    # Time stands still there: a cloud that waited would never end.
    assert account.clock.now() == began


def test_a_call_that_comes_later_than_the_end_of_the_cloud_is_never_carried_out(tmp_path: Path) -> None:
    with open_account(tmp_path) as account:
        account.launched()
        account.fault("launch", "delay-before", seconds=30)
        _launch_impatiently(account)
    with open_account(tmp_path) as account:
        assert len(account.billed()) == 1
