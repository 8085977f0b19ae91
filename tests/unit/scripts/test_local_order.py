"""`make local` and `make local-down`: what they do in which order, and what they refuse."""

from pathlib import Path

import pytest

from scripts.local import __main__ as local
from scripts.local import cloud, stack
from scripts.local.cloud import CloudInstance, CloudStatus
from scripts.local.errors import LocalError
from scripts.local.room import GIB, Room
from scripts.local.stack import StackOutputs
from tests.unit.scripts.conftest import CLOUD


class World:
    """Stands for the local cloud and the stack; remembers what was done to them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, cloud_up: bool, stack_exists: bool) -> None:
        self.cloud: CloudStatus | None = CLOUD if cloud_up else None
        self.stack_exists = stack_exists
        self.done: list[str] = []
        monkeypatch.setattr(local, "LOCAL", tmp_path)
        monkeypatch.setattr(local, "ENVIRONMENT_FILE", tmp_path / "env")
        monkeypatch.setattr(local, "COMPLETED_ONCE", tmp_path / "completed-once")
        monkeypatch.setattr(local, "clear_after_a_kill", lambda _: None)
        monkeypatch.setattr(local, "processes_of_machines", lambda _: [])
        monkeypatch.setattr(local, "open_ports", lambda *_: [])
        monkeypatch.setattr(cloud, "status", lambda: self.cloud)
        monkeypatch.setattr(cloud, "start", self.start)
        monkeypatch.setattr(cloud, "stop", self.stop)
        monkeypatch.setattr(stack.Stack, "exists", lambda _: self.stack_exists)
        monkeypatch.setattr(stack.Stack, "destroy", self.destroy)

    def start(self) -> CloudStatus:
        self.done.append("start cloud")
        self.cloud = CLOUD
        return CLOUD

    def stop(self) -> None:
        self.done.append("stop cloud")
        self.cloud = None

    def destroy(self) -> None:
        self.done.append("destroy stack")
        self.stack_exists = False


@pytest.mark.parametrize(
    ("cloud_up", "stack_exists", "done"),
    [
        (True, True, ["destroy stack", "stop cloud"]),
        (False, True, ["start cloud", "destroy stack", "stop cloud"]),
        (True, False, ["stop cloud"]),
        (False, False, ["stop cloud"]),
    ],
)
def test_down_destroys_the_stack_while_the_cloud_runs_and_can_be_run_again(
    cloud_up: bool, stack_exists: bool, done: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world = World(monkeypatch, tmp_path, cloud_up=cloud_up, stack_exists=stack_exists)
    assert local.down() == 0
    assert world.done == done


def test_instance_that_destroy_forgot_fails_down_but_is_taken_away(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World(monkeypatch, tmp_path, cloud_up=True, stack_exists=True)
    forgotten = CloudInstance(id="abc", name="forgotten", status="active", ip="127.77.0.2")
    world.cloud = CLOUD.model_copy(update={"instances": [forgotten]})
    assert local.down() == 1
    assert "instance abc (forgotten) was not destroyed by Pulumi" in capsys.readouterr().err
    assert "stop cloud" in world.done


def test_up_starts_nothing_where_there_is_no_room(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    world = World(monkeypatch, tmp_path, cloud_up=False, stack_exists=False)
    monkeypatch.setattr(local, "room_at", lambda _: Room(memory=GIB, disk=10**12))
    with pytest.raises(LocalError, match=r"1\.0 GiB of memory free"):
        local.up()
    assert world.done == []


def test_anything_left_is_said_and_makes_the_command_fail(capsys: pytest.CaptureFixture[str]) -> None:
    assert local.report(["port 8600 on 127.0.0.1: process 7", "stack local"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "local: still there: port 8600 on 127.0.0.1: process 7",
        "local: still there: stack local",
    ]
    assert local.report([]) == 0


def test_the_stages_of_a_first_start_are_shown_without_those_that_did_not_happen(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """There is no outage where nothing was served before."""
    said = {"endpoint": "https://a/v1", "api_key": "k", "ca_certificate": "c", "model": "m"}
    outputs = StackOutputs.model_validate({**said, "timeline": {"start": 26, "outage": None}})
    local.show(outputs, "answer", 60.0)
    shown = capsys.readouterr().out
    assert "start" in shown
    assert "outage" not in shown
