"""The wait as a resource: once for machines that stay, again for new ones."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from components.dynamic.clock import Patience
from components.dynamic.errors import ResourceError
from components.dynamic.inputs import Properties
from components.lambda_cloud.boot_wait import poller as boot_wait
from components.lambda_cloud.boot_wait.provider import BootWaitProvider
from components.lambda_cloud.instance.launch import launch
from tests.support.emulated import EmulatedCloud
from tests.support.orders import ORDER


@pytest.fixture
def machine(cloud: EmulatedCloud, plugin: EmulatedCloud) -> Iterator[str]:
    yield launch(cloud.client, ORDER).instance_id


def _inputs(*ids: str, **more: object) -> Properties:
    return BootWaitProvider().check({}, {"machines": [{"instance_id": one} for one in ids], **more}).inputs


def test_the_outputs_are_what_a_connection_needs(machine: str, plugin: EmulatedCloud) -> None:
    made = BootWaitProvider().create(_inputs(machine))
    (there,) = plugin.client.instances()
    outs = dict(made.outs or {})
    assert outs == {
        **_inputs(machine),
        "ips": [there.ip],
        "private_ips": [there.private_ip],
        "hostnames": [there.hostname],
        "seconds": 0,
        "until": round(plugin.clock.now()),
    }
    assert there.status == "active"


@pytest.mark.parametrize("fault", ["boot-unhealthy", "boot-preempted", "boot-terminated"])
def test_a_boot_that_goes_wrong_is_one_line_with_what_to_do(
    cloud: EmulatedCloud, plugin: EmulatedCloud, fault: str
) -> None:
    cloud.fault("launch", fault)
    machine = launch(cloud.client, ORDER).instance_id
    with pytest.raises(ResourceError, match="run `pulumi refresh`, then `pulumi up`"):
        BootWaitProvider().create(_inputs(machine))


def test_a_machine_that_never_gets_an_address_is_given_up_at_the_deadline(
    cloud: EmulatedCloud, plugin: EmulatedCloud
) -> None:
    cloud.fault("launch", "stuck-booting")
    machine = launch(cloud.client, ORDER).instance_id
    inputs = BootWaitProvider.inputs.model_validate(_inputs(machine))
    with pytest.raises(boot_wait.BootError, match="waits for an address"):
        boot_wait.wait_for_boot(plugin.client, inputs.awaited, None, Patience(plugin.clock, 2))  # type: ignore[attr-defined]
    assert plugin.billing() == [machine]


def test_a_refresh_keeps_what_is_there_and_loses_what_is_over(machine: str, plugin: EmulatedCloud) -> None:
    made = BootWaitProvider().create(_inputs(machine))
    assert BootWaitProvider().read(made.id, made.outs or {}).outs == made.outs
    plugin.control("PATCH", f"/instances/{machine}", {"status": "preempted"})
    assert BootWaitProvider().read(made.id, made.outs or {}).id == ""


def test_an_api_that_fails_never_looks_like_machines_that_are_gone(machine: str, plugin: EmulatedCloud) -> None:
    made = BootWaitProvider().create(_inputs(machine))
    plugin.fault("list-instances", "error-500", 100)
    with pytest.raises(ResourceError):
        BootWaitProvider().read(made.id, made.outs or {})


def test_a_new_machine_is_waited_for_and_another_patience_is_no_reason_to() -> None:
    provider, old = BootWaitProvider(), _inputs("a")
    more = provider.diff("a", old, _inputs("a", "b"))
    assert (more.changes, more.replaces) == (True, [])
    assert provider.diff("a", old, _inputs("a", timeout_seconds=60)).changes is False


def test_the_wait_for_a_new_machine_gives_all_addresses(
    machine: str, cloud: EmulatedCloud, plugin: EmulatedCloud
) -> None:
    made = BootWaitProvider().create(_inputs(machine))
    second = launch(cloud.client, replace(ORDER, token="b" * 32)).instance_id
    outs = BootWaitProvider().update(made.id, made.outs or {}, _inputs(second, machine)).outs or {}
    by_id = {one.id: one.ip for one in plugin.client.instances()}
    assert outs["ips"] == [by_id[second], by_id[machine]]


def test_removing_a_wait_asks_for_nothing(machine: str, plugin: EmulatedCloud) -> None:
    made = BootWaitProvider().create(_inputs(machine))
    plugin.control("DELETE", "/requests")
    BootWaitProvider().delete(made.id, made.outs or {})
    assert plugin.requests() == []


def test_a_private_key_in_the_place_of_a_public_one_is_not_printed() -> None:
    private = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\n-----END OPENSSH PRIVATE KEY-----"
    given = {"machines": [{"instance_id": "1", "public_host_key": private}]}
    (failure,) = BootWaitProvider().check({}, given).failures
    # With the property's name the engine prints its value.
    assert failure.property == ""
    assert "b3BlbnNzaC1rZXk" not in failure.reason
