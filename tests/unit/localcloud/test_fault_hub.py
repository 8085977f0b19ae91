"""Faults of the hub: refusals, and files that do not arrive as they are."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud.hub import HubTokens, hub_routes
from tests.support.cloud_api.account import Account, Answer, open_account

MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
FILE = f"/{MODEL}/resolve/main/config.json"
INFO = f"/api/models/{MODEL}"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Account]:
    """A cloud with its hub."""
    routes = hub_routes(tmp_path / "hub", HubTokens("hf_" + "a" * 34, "hf_" + "b" * 34))
    with open_account(tmp_path, hub=routes) as account:
        yield account


def _get(hub: Account, path: str, method: str = "GET") -> Answer:
    return hub.call(method, path, headers={})


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_the_hub_can_refuse_everything_and_the_api_goes_on(hub: Account, status: int) -> None:
    hub.fault("hub", f"hub-{status}", times=2)
    assert [_get(hub, path).status for path in (INFO, FILE, FILE)] == [status, status, 200]
    hub.fault("hub", f"hub-{status}")
    assert hub.get("/instances").status == 200


def test_the_hub_can_be_out_of_reach(hub: Account) -> None:
    hub.fault("hub", "hub-cut", probability=1)
    assert [_get(hub, path).status for path in (INFO, FILE)] == [None, None]
    hub.control("DELETE", "/faults")
    assert _get(hub, FILE).status == 200


def test_a_fault_of_files_leaves_the_listings_and_the_heads_alone(hub: Account) -> None:
    hub.fault("hub-file", "hub-503")
    assert [_get(hub, INFO).status, _get(hub, FILE, "HEAD").status] == [200, 200]
    assert [_get(hub, FILE).status for _ in range(2)] == [503, 200]


def test_a_file_can_come_with_a_wrong_byte(hub: Account) -> None:
    right = hub.raw_bytes(FILE)
    hub.fault("hub-file", "hub-wrong-bytes")
    wrong = hub.raw_bytes(FILE)
    assert len(wrong) == len(right)
    assert sum(one != other for one, other in zip(wrong, right, strict=True)) == 1
    assert hub.raw_bytes(FILE) == right


def test_a_file_can_end_half_way(hub: Account) -> None:
    hub.fault("hub-file", "hub-truncated")
    assert _get(hub, FILE).status is None
    assert _get(hub, FILE).status == 200


def test_a_file_can_come_slowly_and_whole(hub: Account) -> None:
    right = _get(hub, FILE).text
    hub.fault("hub-file", "hub-slow", seconds=0.5)
    slow = hub.begun("GET", FILE, headers={})
    hub.wait(0.49)
    assert not slow.done()
    hub.wait(0.02)
    assert hub.outcome(slow).text == right


def test_a_file_that_there_is_not_is_refused_as_usual(hub: Account) -> None:
    hub.fault("hub-file", "hub-wrong-bytes")
    assert _get(hub, f"/{MODEL}/resolve/main/nothing.json").status == 404


def test_a_fault_of_machines_leaves_the_user_alone(hub: Account) -> None:
    hub.fault("hub", "hub-cut", probability=1, instance="any")
    hub.fault("hub", "hub-cut", instance="f" * 32)
    assert [_get(hub, path).status for path in (INFO, FILE)] == [200, 200]
