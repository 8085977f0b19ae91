"""Faults with a probability, what is left of a fault, and named sets of faults."""

from pathlib import Path

import pytest

from localcloud.cli import main
from localcloud.faults.scenarios import SCENARIOS
from tests.support.cloud_api.account import Account, open_account


def _statuses(account: Account, calls: int) -> list[int | None]:
    return [account.get("/instances").status for _ in range(calls)]


def test_a_probability_strikes_some_calls_without_end_and_the_same_ones_for_a_seed(account: Account) -> None:
    account.fault("list-instances", "error-500", probability=0.3, seed=5)
    first = _statuses(account, 60)
    assert 5 < first.count(500) < 35
    account.control("DELETE", "/faults")
    account.fault("list-instances", "error-500", probability=0.3, seed=5)
    assert _statuses(account, 60) == first
    account.control("DELETE", "/faults")
    account.fault("list-instances", "error-500", probability=0.3, seed=6)
    assert _statuses(account, 60) != first


def test_a_probability_with_times_ends_after_so_many_strikes(account: Account) -> None:
    account.fault("list-instances", "error-500", probability=0.5, times=3)
    assert _statuses(account, 60).count(500) == 3
    assert account.control("GET", "/faults") == []


def test_a_fault_that_does_not_come_up_lets_the_next_one_strike(account: Account) -> None:
    account.fault("list-instances", "error-500", probability=1e-12)
    account.fault("list-instances", "error-503")
    assert _statuses(account, 2) == [503, 200]


def test_what_is_left_of_each_fault_is_listed(account: Account) -> None:
    account.fault("list-instances", "error-500", times=3)
    account.fault("launch", "invisible", probability=0.5)
    account.get("/instances")
    assert account.control("GET", "/faults") == [
        {"operation": "list-instances", "kind": "error-500", "times": 2},
        {"operation": "launch", "kind": "invisible", "probability": 0.5, "seed": 0, "seconds": 10.0},
    ]


@pytest.mark.parametrize(
    ("more", "part"),
    [
        ({"probability": 0}, "probability"),
        ({"probability": 1.5}, "probability"),
        ({"seed": 3}, "seed: only with a probability"),
        ({"after_bytes": 3}, "after_bytes: kind 'error-500' takes none"),
        ({"instance": "any"}, "instance: only "),
    ],
)
def test_what_does_not_fit_a_fault_is_refused_in_one_line(account: Account, more: dict[str, object], part: str) -> None:
    body = {"operation": "launch", "kind": "error-500"} | more
    answer = account.call("POST", "/_localcloud/faults", body, {})
    assert (answer.status, answer.json["error"].startswith(part)) == (400, True), answer.text
    assert "\n" not in answer.json["error"]


def test_faults_of_ssh_are_refused_where_there_are_no_machines(account: Account) -> None:
    body = {"operation": "ssh-command", "kind": "ssh-drop"}
    answer = account.call("POST", "/_localcloud/faults", body, {})
    assert answer.status == 400
    assert "only with --machines process" in answer.json["error"]


def test_a_full_disk_is_refused_where_machines_have_no_disk_of_their_own(account: Account) -> None:
    answer = account.call("POST", "/_localcloud/faults", {"operation": "launch", "kind": "disk-full"}, {})
    line = "kind 'disk-full': needs --machines process and a local cloud that runs as root"
    assert (answer.status, answer.json) == (400, {"error": line})


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_is_what_its_faults_are_and_the_same_for_a_seed(tmp_path: Path, name: str) -> None:
    said = []
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        with open_account(tmp_path / folder) as account:
            faults = account.control("POST", "/scenario", {"name": name, "seed": 4})
            assert account.control("GET", "/faults") == faults
            said.append((faults, [_call(account, number) for number in range(40)]))
    assert said[0] == said[1]


def _call(account: Account, number: int) -> int | None:
    return account.get(("/instances", "/ssh-keys", "/instance-types")[number % 3]).status


def test_without_capacity_nothing_can_be_had_until_it_is_taken_back(account: Account) -> None:
    account.launched()
    account.control("POST", "/scenario", {"name": "no-capacity"})
    types = account.get("/instance-types").data
    assert {tuple(one["regions_with_capacity_available"]) for one in types.values()} == {()}
    assert account.launch().code == "instance-operations/launch/insufficient-capacity"
    account.control("DELETE", "/capacity")
    assert account.launch().status == 200


def test_an_unknown_scenario_is_refused_in_one_line_with_those_there_are(
    account: Account, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = "there is no scenario 'good-friday'; there are: bad-tuesday, flaky-network, no-capacity"
    answer = account.call("POST", "/_localcloud/scenario", {"name": "good-friday"}, {})
    assert (answer.status, answer.json) == (400, {"error": line})
    with pytest.raises(SystemExit) as ended:
        main(["serve", f"--state={tmp_path}", "--scenario=good-friday"])
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert line in said
    assert said.count("\n") == 1
