"""The life of an instance, seen through the API and by its machine."""

from pathlib import Path

import pytest

from localcloud.account.store import GLOBAL_RULES
from localcloud.machines.base import MachineSpec
from localcloud.machines.none import NoMachines
from tests.support.cloud_api.account import PUBLIC_KEY, Account, open_account
from tests.support.jumping_clock import JumpingClock

ACTIONS = {"migrate", "rebuild", "restart", "cold_reboot", "terminate"}


class WatchedMachines(NoMachines):
    """Remembers what was asked of the machines, and fails where it is told to."""

    def __init__(self, failing: str = "") -> None:
        self.asked: list[str] = []
        self.specs: list[MachineSpec] = []
        self.failing = failing

    def _note(self, what: str) -> None:
        self.asked.append(what)
        if what == self.failing:
            raise OSError(f"no {what}\ntoday")

    async def start(self, spec: MachineSpec) -> None:
        self.specs.append(spec)
        self._note("start")

    async def resume(self, spec: MachineSpec) -> None:
        self.specs.append(spec)
        self._note("resume")

    async def restart(self, spec: MachineSpec) -> None:
        self._note("restart")

    async def destroy(self, instance_id: str) -> None:
        self._note("destroy")


class SlowMachines(WatchedMachines):
    """Takes a while to start."""

    def __init__(self, clock: JumpingClock) -> None:
        super().__init__()
        self._clock = clock

    async def start(self, spec: MachineSpec) -> None:
        await self._clock.wait(1)
        await super().start(spec)


def _terminate(account: Account, instance_id: str) -> None:
    account.post("/instance-operations/terminate", {"instance_ids": [instance_id]})


def test_an_instance_boots_gets_an_address_becomes_active_and_is_forgotten_after_its_end(tmp_path: Path) -> None:
    with open_account(tmp_path, time_scale=1.0) as account:
        instance_id = account.launched()
        fresh = account.get(f"/instances/{instance_id}").data
        assert fresh["status"] == "booting"
        assert not {"ip", "hostname", "jupyter_url"} & set(fresh)
        assert set(fresh["actions"]) == ACTIONS
        assert fresh["actions"]["terminate"] == {
            "available": False,
            "reason_code": "vm-has-not-launched",
            "reason_description": "Instance has not launched yet",
        }

        account.until(lambda: "ip" in account.get(f"/instances/{instance_id}").data)
        reachable = account.get(f"/instances/{instance_id}").data
        assert reachable["status"] == "booting"
        assert reachable["hostname"] == reachable["ip"]
        assert reachable["jupyter_token"] in reachable["jupyter_url"]

        account.until_status(instance_id, "active")
        active = account.get(f"/instances/{instance_id}").data
        assert (active["status"], active["ip"]) == ("active", reachable["ip"])
        assert active["actions"]["terminate"] == {"available": True}

        answer = account.post("/instance-operations/terminate", {"instance_ids": [instance_id]})
        assert [one["status"] for one in answer.data["terminated_instances"]] == ["terminating"]
        account.until_status(instance_id, "terminated")
        account.until_status(instance_id, None)
        assert account.get("/instances").data == []


def test_the_machine_is_made_from_what_was_launched(tmp_path: Path) -> None:
    machines = WatchedMachines()
    with open_account(tmp_path, machines) as account:
        instance_id = account.launched(user_data="#!/bin/sh\n", hostname="head")
        account.wait()
        ip = account.get(f"/instances/{instance_id}").data["ip"]
    assert machines.specs == [
        MachineSpec(
            instance_id,
            ip,
            "head",
            "gpu_1x_gh200",
            (PUBLIC_KEY,),
            "#!/bin/sh\n",
            gpus=1,
            firewall=tuple(GLOBAL_RULES.rules),
        )
    ]


def test_a_machine_that_cannot_start_makes_the_instance_unhealthy_and_says_why_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_account(tmp_path, WatchedMachines(failing="start")) as account:
        instance_id = account.launched()
        account.wait()
        assert account.status(instance_id) == "unhealthy"
        said = capsys.readouterr().err.splitlines()
        assert said == [f"localcloud: instance {instance_id}: its machine could not start: no start today"]
        _terminate(account, instance_id)
        account.wait()
        assert account.status(instance_id) is None


def test_a_machine_that_cannot_be_destroyed_never_counts_as_terminated(tmp_path: Path) -> None:
    machines = WatchedMachines(failing="destroy")
    with open_account(tmp_path, machines) as account:
        instance_id = account.launched()
        account.wait()
        _terminate(account, instance_id)
        account.wait()
        assert account.status(instance_id) == "unhealthy"
        machines.failing = ""
        _terminate(account, instance_id)
        account.wait()
        assert account.status(instance_id) is None


def test_a_restart_keeps_the_address(tmp_path: Path) -> None:
    machines = WatchedMachines()
    with open_account(tmp_path, machines) as account:
        instance_id = account.launched()
        account.wait()
        ip = account.get(f"/instances/{instance_id}").data["ip"]
        answer = account.post("/instance-operations/restart", {"instance_ids": [instance_id]})
        assert [one["id"] for one in answer.data["restarted_instances"]] == [instance_id]
        account.wait()
        assert account.get(f"/instances/{instance_id}").data["ip"] == ip
        assert account.status(instance_id) == "active"
    assert machines.asked == ["start", "restart"]


def test_an_instance_that_is_still_booting_cannot_be_restarted(tmp_path: Path) -> None:
    with open_account(tmp_path, time_scale=1.0) as account:
        instance_id = account.launched()
        answer = account.post("/instance-operations/restart", {"instance_ids": [instance_id]})
        assert (answer.status, answer.code) == (409, "global/conflict")


def test_terminating_one_unknown_instance_of_two_terminates_none(account: Account) -> None:
    instance_id = account.launched()
    account.wait()
    answer = account.post("/instance-operations/terminate", {"instance_ids": [instance_id, "0" * 32]})
    assert (answer.status, answer.code) == (404, "global/object-does-not-exist")
    assert account.status(instance_id) == "active"


def test_terminating_twice_ends_the_machine_once(tmp_path: Path) -> None:
    machines = WatchedMachines()
    with open_account(tmp_path, machines, time_scale=1.0) as account:
        instance_id = account.launched()
        _terminate(account, instance_id)
        account.wait()
        _terminate(account, instance_id)
        account.until_status(instance_id, "terminated")
        again = account.post("/instance-operations/terminate", {"instance_ids": [instance_id]})
        assert (again.status, again.message) == (404, "Specified instance does not exist.")
    assert machines.asked == ["destroy"]


def test_a_machine_is_never_destroyed_while_it_is_still_being_made(tmp_path: Path) -> None:
    clock = JumpingClock()
    machines = SlowMachines(clock)
    with open_account(tmp_path, machines, clock=clock) as account:
        instance_id = account.launched()
        account.wait()
        _terminate(account, instance_id)
        ended = account.begun("PATCH", f"/_localcloud/instances/{instance_id}", {"status": "terminated"}, {})
        account.wait(1)
        assert account.outcome(ended).status == 200
        account.until_status(instance_id, None)
    assert machines.asked[:2] == ["start", "destroy"]


def test_name_and_tags_can_be_changed_apart(account: Account) -> None:
    instance_id = account.launched(name="old", tags=[{"key": "k1", "value": "v"}])
    path = f"/instances/{instance_id}"
    assert account.post(path, {"name": "new"}).data["tags"] == [{"key": "k1", "value": "v"}]
    assert account.post(path, {"tags": [{"key": "k2", "value": "w"}]}).data["name"] == "new"
    assert account.get(path).data["tags"] == [{"key": "k2", "value": "w"}]
    assert account.post(path, {"tags": []}).data["tags"] == []


def test_an_active_instance_is_resumed_with_its_machine_and_address(tmp_path: Path) -> None:
    with open_account(tmp_path) as account:
        instance_id = account.launched()
        account.wait()
        ip = account.get(f"/instances/{instance_id}").data["ip"]
        key = account.api_key
    machines = WatchedMachines()
    with open_account(tmp_path, machines) as account:
        assert account.api_key == key
        assert account.status(instance_id) == "active"
    assert machines.asked == ["resume"]
    assert machines.specs[0].ip == ip


def test_a_boot_interrupted_before_the_machine_started_is_made_up_for(tmp_path: Path) -> None:
    with open_account(tmp_path, time_scale=1.0) as account:
        instance_id = account.launched()
    machines = WatchedMachines()
    with open_account(tmp_path, machines) as account:
        account.wait()
        assert account.status(instance_id) == "active"
    assert machines.asked == ["start"]


def test_a_termination_interrupted_is_finished(tmp_path: Path) -> None:
    with open_account(tmp_path, time_scale=1.0) as account:
        instance_id = account.launched()
        _terminate(account, instance_id)
    machines = WatchedMachines()
    with open_account(tmp_path, machines) as account:
        account.wait()
        assert account.status(instance_id) is None
    assert machines.asked == ["destroy"]


def _actions(account: Account, instance_id: str) -> dict[str, str]:
    """What stands in the way of each action; nothing when it is available."""
    actions = account.get(f"/instances/{instance_id}").data["actions"]
    assert all(("reason_code" in one) != one["available"] for one in actions.values())
    return {name: one.get("reason_code", "") for name, one in actions.items()}


def _all_blocked(code: str) -> dict[str, str]:
    return dict.fromkeys(ACTIONS, code)


WITH_A_MACHINE = _all_blocked("") | {"migrate": "vm-is-too-old"}


def test_what_can_be_done_follows_the_state(tmp_path: Path) -> None:
    with open_account(tmp_path, time_scale=1.0) as account:
        instance_id = account.launched()
        assert _actions(account, instance_id) == _all_blocked("vm-has-not-launched")
        account.until(lambda: "ip" in account.get(f"/instances/{instance_id}").data)
        assert account.status(instance_id) == "booting"
        assert _actions(account, instance_id) == _all_blocked("vm-has-not-launched") | {"terminate": ""}
        for status in ("active", "unhealthy"):
            account.control("PATCH", f"/instances/{instance_id}", {"status": status})
            assert _actions(account, instance_id) == WITH_A_MACHINE
        account.post("/instance-operations/restart", {"instance_ids": [instance_id]})
        assert _actions(account, instance_id) == _all_blocked("vm-action-in-progress") | {"terminate": ""}
        account.terminate(instance_id)
        assert account.status(instance_id) == "terminating"
        assert _actions(account, instance_id) == _all_blocked("vm-is-terminating")
        for status in ("terminated", "preempted"):
            account.control("PATCH", f"/instances/{instance_id}", {"status": status})
            assert account.status(instance_id) == status
            assert _actions(account, instance_id) == _all_blocked("vm-is-terminating")


def test_an_instance_that_never_got_an_address_can_only_be_terminated(account: Account) -> None:
    account.fault("launch", "boot-unhealthy")
    instance_id = account.launched()
    account.wait()
    assert account.status(instance_id) == "unhealthy"
    assert _actions(account, instance_id) == _all_blocked("vm-has-not-launched") | {"terminate": ""}


def test_an_id_given_twice_is_one_instance(account: Account) -> None:
    instance_id = account.launched()
    account.wait()
    answer = account.post("/instance-operations/restart", {"instance_ids": [instance_id, instance_id.upper()]})
    assert [one["id"] for one in answer.data["restarted_instances"]] == [instance_id]


def test_terminating_again_is_confirmed_while_it_lasts_and_recorded_once(tmp_path: Path) -> None:
    with open_account(tmp_path, time_scale=1.0) as account:
        instance_id = account.launched()
        for _ in range(3):
            answer = account.terminate(instance_id)
            assert [one["status"] for one in answer.data["terminated_instances"]] == ["terminating"]
        actions = [one["action"] for one in account.get("/audit-events?resource_type=cloud.instance").data]
        assert actions == ["launched", "terminated"]


def test_no_instance_is_part_of_a_cluster(account: Account) -> None:
    account.launched()
    assert account.get(f"/instances?cluster_id={'0' * 32}").data == []
