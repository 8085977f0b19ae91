"""Pulumi killed at the worst moments: the next `up`, or `destroy` alone, ends with what was asked for, and no more."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import pytest

from tests.support.account_state import assert_nothing_is_left, assert_state_knows_the_account
from tests.support.local_cloud import LocalCloud
from tests.support.long import cases
from tests.support.pulumi_project import Project

LATE_S = 2.0
"""How late an answer comes: long after the kill, and soon enough to be waited for by the next run."""
UNHEARD_S = 30.0
"""The same for an answer that nobody waits for once all are killed: the call is over with its client."""


@dataclass(frozen=True)
class Scene:
    """What can be seen while a command runs."""

    project: Project
    cloud: LocalCloud

    def knows(self, kind: str) -> bool:
        """Whether the state has such a resource; false while the state is being written."""
        with suppress(OSError, ValueError):
            return bool(self.project.ids(kind))
        return False

    def is_deleting(self, kind: str) -> bool:
        """Whether the engine has begun to delete such a resource."""
        with suppress(OSError, ValueError):
            return any(
                one["type"] == "deleting" and one["resource"]["type"].endswith(f"lambdacloud:{kind}")
                for one in self.project.pending()
            )
        return False

    def is_held_up(self) -> bool:
        """Whether the call that is to be held up has come: its fault is used up then."""
        return not self.cloud.control("GET", "/faults")

    def is_ending(self) -> bool:
        """Whether the cloud has begun to end the machine, which it forgets soon after."""
        return not any(one["status"] in {"booting", "active"} for one in self.cloud.control("GET", "/instances"))


@dataclass(frozen=True)
class Moment:
    """When a command is killed: as soon as this is seen, while this call is held up."""

    seen: Callable[[Scene], bool]
    held_up: str | None = None
    kind: str = "delay-after"


WAYS_UP = {
    "key-made-and-not-answered": Moment(lambda scene: bool(scene.cloud.ids("ssh-keys")), "create-ssh-key"),
    "ruleset-made-and-not-answered": Moment(
        lambda scene: bool(scene.cloud.ids("firewall-rulesets")), "create-firewall-ruleset"
    ),
    "before-the-launch": Moment(lambda scene: scene.cloud.calls("instance-types") > 0, "list-images"),
    "launch-carried-out-and-not-answered": Moment(lambda scene: bool(scene.cloud.billing()), "launch"),
    "launch-answered": Moment(lambda scene: scene.cloud.calls("launch") > 0),
    "boot": Moment(lambda scene: scene.knows("Instance")),
}
WAYS_DOWN = {
    "end-on-its-way": Moment(lambda scene: scene.is_deleting("Instance"), "terminate", "delay-before"),
    "end-begun-and-not-answered": Moment(Scene.is_ending, "terminate"),
    "end-is-slow": Moment(Scene.is_ending, "terminate", "slow"),
    "key-deleted-and-not-answered": Moment(lambda scene: not scene.cloud.ids("ssh-keys"), "delete-ssh-key"),
    "ruleset-deleted-and-not-answered": Moment(
        lambda scene: not scene.cloud.ids("firewall-rulesets"), "delete-firewall-ruleset"
    ),
}

ALWAYS_UP = {"launch-carried-out-and-not-answered"}
ALWAYS_DOWN = {"end-begun-and-not-answered"}
"""What costs most when it goes wrong: a machine."""

of_the_way_up = pytest.mark.parametrize("moment", cases(WAYS_UP.items(), ALWAYS_UP))
of_the_way_down = pytest.mark.parametrize("moment", cases(WAYS_DOWN.items(), ALWAYS_DOWN))
KILLED = {"cli-and-plugins": True, "cli-alone": False}
of_cli_and_plugins = pytest.mark.parametrize("plugins_too", cases(KILLED.items(), KILLED))
mostly_of_both = pytest.mark.parametrize("plugins_too", cases(KILLED.items(), {"cli-and-plugins"}))
"""Of the plugins that live on alone only in the long tests; what they must not do is tried with the first of these."""


@pytest.fixture
def scene(fleet: Project, api_cloud: LocalCloud) -> Scene:
    """A project of one machine and its cloud."""
    return Scene(fleet, api_cloud)


def kill(scene: Scene, command: str, moment: Moment, *, plugins_too: bool) -> None:
    """Run a command and kill it at the moment."""
    if moment.held_up:
        is_unheard = plugins_too and moment.kind == "delay-after"
        scene.cloud.fault(moment.held_up, moment.kind, seconds=UNHEARD_S if is_unheard else LATE_S)
    scene.project.kill_when(command, lambda: moment.seen(scene), plugins_too=plugins_too)


@of_cli_and_plugins
@of_the_way_up
def test_the_up_after_a_killed_up_ends_with_one_machine_launched_once(
    scene: Scene, moment: Moment, plugins_too: bool
) -> None:
    kill(scene, "up", moment, plugins_too=plugins_too)
    scene.project.up()
    assert_state_knows_the_account(scene.project, scene.cloud, machines=1)
    assert scene.cloud.calls("launch") == 1
    scene.project.destroy()
    assert_nothing_is_left(scene.project, scene.cloud)


@mostly_of_both
@of_the_way_up
def test_destroy_alone_after_a_killed_up_leaves_nothing(scene: Scene, moment: Moment, plugins_too: bool) -> None:
    kill(scene, "up", moment, plugins_too=plugins_too)
    scene.project.destroy()
    assert_nothing_is_left(scene.project, scene.cloud)


@mostly_of_both
@of_the_way_down
def test_the_destroy_after_a_killed_destroy_leaves_nothing(scene: Scene, moment: Moment, plugins_too: bool) -> None:
    scene.project.up()
    kill(scene, "destroy", moment, plugins_too=plugins_too)
    scene.project.destroy()
    assert_nothing_is_left(scene.project, scene.cloud)


@mostly_of_both
@of_the_way_down
def test_the_up_after_a_killed_destroy_ends_with_one_machine(scene: Scene, moment: Moment, plugins_too: bool) -> None:
    scene.project.up()
    kill(scene, "destroy", moment, plugins_too=plugins_too)
    scene.project.up()
    assert_state_knows_the_account(scene.project, scene.cloud, machines=1)


@pytest.mark.parametrize("command", cases({"up": "up", "destroy": "destroy"}.items(), {"up"}))
@mostly_of_both
def test_a_launch_that_the_cloud_carries_out_long_after_the_kill_is_waited_for(
    scene: Scene, command: str, plugins_too: bool
) -> None:
    # Patience is twelve looks; at this pace that is 9 s, and the launch is carried out 6 s after it was sent.
    scene.project.set_environment(LAMBDA_CLOUD_REQUEST_INTERVAL="0.15")
    scene.cloud.fault("launch", "delay-before", seconds=6)
    scene.project.kill_when("up", scene.is_held_up, plugins_too=plugins_too)
    scene.project.pulumi(command, "--yes", "--skip-preview")
    assert scene.cloud.calls("launch") == 1
    if command == "up":
        assert_state_knows_the_account(scene.project, scene.cloud, machines=1)
    else:
        assert_nothing_is_left(scene.project, scene.cloud)


@pytest.mark.parametrize("command", cases({"up": "up", "destroy": "destroy"}.items(), {"up"}))
def test_a_plugin_that_outlives_its_cli_launches_nothing_when_capacity_comes(scene: Scene, command: str) -> None:
    cloud, project = scene.cloud, scene.project
    project.configure(capacityTimeoutSeconds=600)
    cloud.control("PUT", "/capacity", {"instance_type": "gpu_1x_gh200", "regions": []})
    project.kill_when("up", lambda: cloud.calls("instance-types") > 1, plugins_too=False)
    cloud.control("PUT", "/capacity", {"instance_type": "gpu_1x_gh200", "regions": ["us-east-3"]})
    # The plugin looks every 0.2 s as long as it waits for capacity.
    time.sleep(1)
    assert cloud.billing() == []
    assert cloud.calls("launch") == 0
    project.pulumi(command, "--yes", "--skip-preview")
    if command == "up":
        assert_state_knows_the_account(project, cloud, machines=1)
        assert cloud.calls("launch") == 1
    else:
        assert_nothing_is_left(project, cloud)


@pytest.mark.long
def test_what_a_killed_up_launched_is_taken_over_after_a_refresh_that_clears_its_traces(scene: Scene) -> None:
    kill(scene, "up", WAYS_UP["launch-carried-out-and-not-answered"], plugins_too=True)
    assert [one["type"] for one in scene.project.pending()] == ["creating"]
    scene.project.pulumi("refresh", "--yes", "--skip-preview", "--clear-pending-creates")
    assert scene.project.pending() == []
    scene.project.up()
    assert_state_knows_the_account(scene.project, scene.cloud, machines=1)
    assert scene.cloud.calls("launch") == 1


def test_what_a_killed_up_launched_is_taken_over_after_a_refresh_that_imports_it(scene: Scene) -> None:
    kill(scene, "up", WAYS_UP["launch-carried-out-and-not-answered"], plugins_too=True)
    (pending,) = scene.project.pending()
    (instance_id,) = scene.cloud.billing()
    # Pulumi 3.259 only takes the pending create out of the state by this; the launch token finds the machine.
    pair = ("--import-pending-creates", pending["resource"]["urn"], "--import-pending-creates", instance_id)
    scene.project.pulumi("refresh", "--yes", "--skip-preview", *pair)
    assert scene.project.pending() == []
    scene.project.up()
    assert_state_knows_the_account(scene.project, scene.cloud, machines=1)
    assert scene.cloud.billing() == [instance_id]
    assert scene.cloud.calls("launch") == 1
    scene.project.destroy()
    assert_nothing_is_left(scene.project, scene.cloud)
