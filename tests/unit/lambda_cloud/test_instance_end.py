"""Ending a machine: asked for first, then watched until Lambda agrees."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from components.lambda_cloud.instance import termination as instance_end
from components.lambda_cloud.instance.launch import launch
from components.lambda_cloud.instance.termination import NotTerminatedError, terminate_instance
from tests.support.emulated import EmulatedCloud
from tests.support.orders import GH200, ORDER


def _operations(cloud: EmulatedCloud) -> list[str]:
    return [entry["operation"] for entry in cloud.requests()]


def test_the_end_is_asked_for_before_any_look(cloud: EmulatedCloud) -> None:
    launched = launch(cloud.client, ORDER)
    cloud.control("DELETE", "/requests")
    assert terminate_instance(cloud.client, launched.instance_id) is True
    assert _operations(cloud)[0] == "terminate"


def test_a_machine_that_does_not_show_yet_is_not_said_to_have_ended(cloud: EmulatedCloud) -> None:
    cloud.fault("launch", "invisible", seconds=30)
    hidden = cloud.client.launch(ORDER.request(GH200))
    assert terminate_instance(cloud.client, hidden) is False
    assert cloud.billing() == [hidden]


def test_an_end_that_takes_a_while_is_waited_for_and_asked_for_once(cloud: EmulatedCloud) -> None:
    launched = launch(cloud.client, ORDER)
    cloud.fault("terminate", "slow", seconds=30)
    terminate_instance(cloud.client, launched.instance_id)
    assert cloud.billing() == []
    assert cloud.calls("terminate") == 1


@pytest.mark.parametrize("trouble", ["drop-before", "drop-after", "error-500", "error-503", "html", "truncated"])
def test_trouble_on_the_way_does_not_keep_a_machine_alive(cloud: EmulatedCloud, trouble: str) -> None:
    launched = launch(cloud.client, ORDER)
    cloud.fault("terminate", trouble)
    terminate_instance(cloud.client, launched.instance_id)
    assert cloud.billing() == []


def test_looks_that_fail_do_not_end_the_wait(cloud: EmulatedCloud) -> None:
    launched = launch(cloud.client, ORDER)
    # More than a read asks for by itself.
    cloud.fault("list-instances", "error-500", 12)
    assert terminate_instance(cloud.client, launched.instance_id) is True
    assert cloud.calls("list-instances") > 12


def test_a_machine_that_has_ended_when_it_is_asked_again_was_known_all_the_same(
    cloud: EmulatedCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instance_end, "ASK_AGAIN_AFTER_POLLS", 0)
    launched = launch(cloud.client, ORDER)
    cloud.fault("list-instances", "error-500", 5)
    assert terminate_instance(cloud.client, launched.instance_id) is True


def test_a_machine_that_ignores_its_end_is_asked_again(cloud: EmulatedCloud) -> None:
    launched = launch(cloud.client, ORDER)
    cloud.fault("terminate", "ignored")
    terminate_instance(cloud.client, launched.instance_id)
    assert cloud.calls("terminate") == 2
    assert cloud.billing() == []


def test_an_end_that_never_comes_is_an_error_that_says_the_machine_may_bill_and_what_to_do(
    cloud: EmulatedCloud,
) -> None:
    launched = launch(cloud.client, ORDER)
    cloud.fault("terminate", "ignored", 1000)
    with pytest.raises(NotTerminatedError) as caught:
        terminate_instance(cloud.client, launched.instance_id, timeout_s=10)
    assert f"instance {launched.instance_id} may still be billing" in str(caught.value)
    assert "run `pulumi destroy` again" in str(caught.value)
    assert cloud.calls("terminate") >= 2


def test_many_ends_at_the_same_time_look_at_one_list(cloud: EmulatedCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    machines = [launch(cloud.client, replace(ORDER, token=f"{number:032x}")).instance_id for number in range(8)]
    cloud.control("DELETE", "/requests")
    barrier = threading.Barrier(len(machines))
    really_terminate = cloud.client.terminate

    def terminate_together(instance_id: str) -> None:
        really_terminate(instance_id)
        barrier.wait(10)

    monkeypatch.setattr(cloud.client, "terminate", terminate_together)
    with ThreadPoolExecutor(len(machines)) as pool:
        assert list(pool.map(lambda id_: terminate_instance(cloud.client, id_), machines)) == [True] * len(machines)
    assert cloud.billing() == []
    assert cloud.calls("list-instances") <= len(machines) // 2


def test_many_ends_that_take_a_while_look_as_often_as_one(cloud: EmulatedCloud) -> None:
    machines = [launch(cloud.client, replace(ORDER, token=f"{number:032x}")).instance_id for number in range(8)]
    cloud.control("DELETE", "/requests")
    cloud.fault("terminate", "slow", len(machines), seconds=3)
    all_there = threading.Barrier(len(machines))

    def end(instance_id: str) -> None:
        with cloud.clock.at_work():
            all_there.wait(60)
            terminate_instance(cloud.client, instance_id)

    began = cloud.clock.monotonic()
    with ThreadPoolExecutor(len(machines)) as pool:
        list(pool.map(end, machines))
    looks = (cloud.clock.monotonic() - began) / cloud.client.limits.poll_interval
    # Pauses are of different lengths. Besides, each has to see a list that is newer than its own request.
    assert cloud.calls("list-instances") <= looks * 1.2 + len(machines) + 1
