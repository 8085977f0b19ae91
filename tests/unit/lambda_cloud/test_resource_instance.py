"""The life of an instance as the engine sees it."""

import hashlib
import json

import pytest

from components.dynamic.errors import ResourceError
from components.dynamic.inputs import Properties
from components.lambda_cloud.api.client import LambdaClient
from components.lambda_cloud.instance import termination as instance_end
from components.lambda_cloud.instance.provider import InstanceProvider
from components.lambda_cloud.launch_token.provider import LaunchTokenProvider
from tests.support.emulated import EmulatedCloud
from tests.support.orders import LOST_WRITES, TOKEN

USER_DATA = "#cloud-config\nthe private host key"
HASH = hashlib.sha256(USER_DATA.encode()).hexdigest()
INPUTS: Properties = {
    "instance_types": ["gpu_1x_gh200", "gpu_1x_h100_pcie"],
    "regions": ["us-east-3", "us-west-3"],
    "name": "test",
    "ssh_key_name": "key",
    "launch_token": TOKEN,
    "image_family": "lambda-stack-24-04",
    "user_data": USER_DATA,
    "firewall_rulesets": {},
    "filesystem_names": [],
    "filesystem_mounts": [],
    "tags": {"team": "search"},
    "capacity_timeout_seconds": 0,
}
OUTSIDE = ("ip", "private_ip", "hostname", "status")
"""What only a look at the cloud tells."""


@pytest.fixture
def made(cloud: EmulatedCloud, plugin: EmulatedCloud) -> tuple[str, Properties]:
    """A machine that was launched and has booted: its id and outputs."""
    created = InstanceProvider().create(INPUTS)
    for _ in range(200):
        if plugin.client.instances()[0].status == "active":
            break
        plugin.client.pause()
    cloud.control("DELETE", "/requests")
    return created.id, created.outs or {}


def test_the_id_is_given_back_at_once_with_what_was_chosen_and_what_it_costs(
    cloud: EmulatedCloud, plugin: EmulatedCloud
) -> None:
    made = InstanceProvider().create(INPUTS)
    assert cloud.billing() == [made.id]
    rest = {name: value for name, value in INPUTS.items() if name != "user_data"}
    assert made.outs == {
        **rest,
        "user_data_sha256": HASH,
        "instance_type": "gpu_1x_gh200",
        "region": "us-east-3",
        "price_cents_per_hour": 229,
        "status": "booting",
    }


@pytest.mark.parametrize("fault", ["drop-after", "truncated", "html-after", "error-500-after"])
def test_whatever_becomes_of_the_answer_one_machine_is_launched(
    cloud: EmulatedCloud, plugin: EmulatedCloud, fault: str
) -> None:
    cloud.fault("launch", fault)
    made = InstanceProvider().create(INPUTS)
    assert cloud.billing() == [made.id]
    assert (made.outs or {})["price_cents_per_hour"] == 229


def test_the_machine_that_a_killed_run_launched_is_taken_over(cloud: EmulatedCloud, plugin: EmulatedCloud) -> None:
    killed = LambdaClient(plugin.credentials.api_key, plugin.url, plugin.client._limiter)
    order = InstanceProvider.inputs.model_validate(INPUTS).order()  # type: ignore[attr-defined]
    left = killed.launch(order.request(order.candidates[0]))
    assert InstanceProvider().create(INPUTS).id == left
    assert cloud.billing() == [left]


def test_a_refresh_sees_the_address_and_the_state(made: tuple[str, Properties], plugin: EmulatedCloud) -> None:
    id_, outs = made
    found = InstanceProvider().read(id_, outs).outs or {}
    (there,) = plugin.client.instances()
    assert {name: found[name] for name in OUTSIDE} == {
        "ip": there.ip,
        "private_ip": there.private_ip,
        "hostname": there.hostname,
        "status": "active",
    }
    assert {k: v for k, v in found.items() if k not in OUTSIDE} == {k: v for k, v in outs.items() if k not in OUTSIDE}
    assert InstanceProvider().diff(id_, found, INPUTS).changes is False


def test_inputs_alone_are_enough_to_read_the_whole_machine(made: tuple[str, Properties]) -> None:
    id_, outs = made
    assert InstanceProvider().read(id_, INPUTS).outs == InstanceProvider().read(id_, outs).outs


def test_the_user_data_is_nowhere_in_the_outputs_and_is_compared_by_its_hash(
    made: tuple[str, Properties], plugin: EmulatedCloud
) -> None:
    id_, outs = made
    found = InstanceProvider().read(id_, outs).outs or {}
    renamed = InstanceProvider().update(id_, found, {**INPUTS, "name": "other"}).outs or {}
    for some in (outs, found, renamed, InstanceProvider().read(id_, INPUTS).outs or {}):
        assert "the private host key" not in json.dumps(some)
        assert some["user_data_sha256"] == HASH
    assert InstanceProvider().diff(id_, found, {**INPUTS, "user_data": USER_DATA + "\n"}).replaces == ["user_data"]
    assert InstanceProvider().diff(id_, found, {**INPUTS, "user_data": None}).replaces == ["user_data"]


def test_the_jupyter_secrets_are_in_no_output(made: tuple[str, Properties], plugin: EmulatedCloud) -> None:
    id_, outs = made
    found = InstanceProvider().read(id_, outs).outs or {}
    assert found["ip"]
    assert "jupyter" not in json.dumps([outs, found])


def test_a_machine_that_was_renamed_by_hand_gets_its_name_back_and_is_kept(
    made: tuple[str, Properties], plugin: EmulatedCloud
) -> None:
    id_, outs = made
    plugin.client.rename(id_, "by hand")
    found = InstanceProvider().read(id_, outs).outs or {}
    diff = InstanceProvider().diff(id_, found, INPUTS)
    assert (diff.changes, diff.replaces) == (True, [])
    InstanceProvider().update(id_, found, INPUTS)
    assert plugin.client.instances()[0].name == "test"


@pytest.mark.parametrize("fault", LOST_WRITES)
def test_whatever_becomes_of_the_answer_the_machine_is_renamed_and_its_outputs_are_kept(
    made: tuple[str, Properties], plugin: EmulatedCloud, fault: str
) -> None:
    id_, outs = made
    found = InstanceProvider().read(id_, outs).outs or {}
    plugin.fault("update-instance", fault)
    renamed = InstanceProvider().update(id_, found, {**INPUTS, "name": "other"}).outs
    assert renamed == {**found, "name": "other"}
    assert [one.name for one in plugin.client.instances()] == ["other"]


def test_a_machine_that_lambda_calls_unhealthy_is_replaced_the_old_one_ended_first(
    made: tuple[str, Properties], plugin: EmulatedCloud
) -> None:
    id_, outs = made
    plugin.control("PATCH", f"/instances/{id_}", {"status": "unhealthy"})
    found = InstanceProvider().read(id_, outs).outs or {}
    diff = InstanceProvider().diff(id_, found, INPUTS)
    assert (diff.changes, diff.replaces, diff.delete_before_replace) == (True, ["status"], True)


@pytest.mark.parametrize("status", ["preempted", "terminated", "terminating"])
def test_a_machine_that_ended_or_is_about_to_leaves_the_state(
    made: tuple[str, Properties], plugin: EmulatedCloud, status: str
) -> None:
    id_, outs = made
    if status == "terminating":
        plugin.fault("terminate", "slow", seconds=30)
        plugin.client.terminate(id_)
    else:
        plugin.control("PATCH", f"/instances/{id_}", {"status": status})
    assert InstanceProvider().read(id_, outs).id == ""


@pytest.mark.parametrize("fault", ["error-500", "error-503", "error-409", "drop-before", "html", "truncated"])
def test_an_api_that_fails_never_looks_like_a_machine_that_is_gone(
    made: tuple[str, Properties], plugin: EmulatedCloud, fault: str
) -> None:
    id_, outs = made
    plugin.fault("list-instances", fault, 100)
    with pytest.raises(ResourceError):
        InstanceProvider().read(id_, outs)


def test_a_state_that_no_document_knows_is_no_reason_to_replace_a_machine(
    made: tuple[str, Properties], plugin: EmulatedCloud
) -> None:
    id_, outs = made
    plugin.fault("list-instances", "unknown-status")
    found = InstanceProvider().read(id_, outs).outs or {}
    assert found["status"] == "migrating"
    assert InstanceProvider().diff(id_, found, INPUTS).changes is False


@pytest.mark.parametrize("fault", LOST_WRITES)
def test_whatever_becomes_of_the_answer_the_machine_is_ended(
    made: tuple[str, Properties], plugin: EmulatedCloud, fault: str
) -> None:
    id_, outs = made
    plugin.fault("terminate", fault)
    InstanceProvider().delete(id_, outs)
    assert plugin.billing() == []


def test_ending_a_machine_that_is_gone_is_a_success_and_so_is_the_end_of_its_token(
    made: tuple[str, Properties], plugin: EmulatedCloud
) -> None:
    id_, outs = made
    InstanceProvider().delete(id_, outs)
    InstanceProvider().delete(id_, outs)
    plugin.control("DELETE", "/requests")
    LaunchTokenProvider().delete(TOKEN, {"token": TOKEN})
    # Its end is known: there is nothing to wait for.
    assert plugin.calls("list-instances") == 1


def test_an_end_that_is_not_confirmed_fails_loudly(
    made: tuple[str, Properties], plugin: EmulatedCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instance_end, "TERMINATE_TIMEOUT_IN_POLLS", 5)
    id_, outs = made
    plugin.fault("terminate", "ignored", 100)
    with pytest.raises(ResourceError, match="may still be billing"):
        InstanceProvider().delete(id_, outs)
    assert plugin.billing() == [id_]


def test_a_new_machine_that_something_speaks_against_is_refused_and_one_that_stays_is_not_touched() -> None:
    news = {**INPUTS, "obstacles": ["the price rose", "no such image"]}
    told = [failure.reason for failure in InstanceProvider().check({}, news).failures]
    assert len(told) == 2
    assert told[0].startswith("no new machine can be launched")
    assert told[1].endswith(": no such image")
    kept = InstanceProvider().check(INPUTS, news)
    assert kept.failures == []
    assert "obstacles" not in kept.inputs
    assert not InstanceProvider().diff("i", {**kept.inputs, "user_data_sha256": HASH}, kept.inputs).changes
    assert "obstacles" not in InstanceProvider().check({}, {**INPUTS, "obstacles": []}).inputs
