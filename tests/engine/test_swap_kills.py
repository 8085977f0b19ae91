"""Whatever is killed while a setting is swapped: the machine ends with a model served, and the next `up` agrees."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.support.long import cases
from tests.support.polling import until
from tests.support.swap_machine import SwapMachine, setting, swap_machine

OLD = setting("org/old")
SLOW = setting("org/new", load_seconds=3)
FAULTS = ("crash", "refused", "other-name")
LEFT_S = 30.0


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[SwapMachine]:
    with swap_machine(tmp_path) as machine:
        status, output = machine.up(OLD)
        assert status == 0, output
        yield machine


MOMENTS = {
    "while the settings are checked": "checking the settings",
    "when the old server is stopped": "stopping org/old",
    "while the new one loads": "",
}


KILLS = {f"{model}-{moment}": (moment, model) for model in ("org/new", "org/old") for moment in MOMENTS}


@pytest.mark.parametrize(
    ("moment", "next_model"),
    cases(
        KILLS.items(),
        {
            "org/new-while the settings are checked",
            "org/old-when the old server is stopped",
            "org/new-while the new one loads",
        },
    ),
)
def test_a_swap_that_is_killed_leaves_a_model_served(serving: SwapMachine, moment: str, next_model: str) -> None:
    with serving.begin(SLOW) as asked:
        output = asked.stdout
        assert output is not None
        if said := MOMENTS[moment]:
            until(lambda: said in output.readline())
        else:
            until(lambda: serving.state.get("why") == "change")
        # The job with its runner, the look at the settings, and who follows it.
        for word in ("service.swap", "jobs.runner", "on_machine.jobs "):
            for process in serving.processes(word):
                with suppress(psutil.NoSuchProcess):
                    process.kill()
        asked.communicate(timeout=60)
    until(lambda: serving.served() and serving.state["doing"] == "serving")
    status, told = serving.up(SLOW if next_model == "org/new" else OLD)
    assert (status, serving.served()) == (0, next_model), told
    assert serving.named("current") == serving.named("last-known-good") == next_model
    assert len(serving.servers) == len(serving.processes("EngineCore")) == 1


def test_the_start_that_a_killed_swap_ordered_is_not_taken_for_a_failed_one(serving: SwapMachine) -> None:
    """The next `up` would end it, and what begins after that would find the mark of a try that came to nothing."""
    serving.slow_restarts(4)
    serving.slow_service(2)
    new = setting("org/new", load_seconds=6)
    with serving.begin(new) as asked:
        output = asked.stdout
        assert output is not None
        until(lambda: "stopping org/old" in output.readline())
        serving.kill("service.swap")
        asked.communicate(timeout=60)
    status, told = serving.up(new)
    assert (status, serving.served()) == (0, "org/new"), told
    assert [start["result"] for start in serving.timeline] == ["served", "served"]


@pytest.mark.parametrize("next_model", cases({"org/new": "org/new", "org/old": "org/old"}.items(), {"org/new"}))
def test_a_reboot_in_mid_swap_brings_back_the_last_good_model(serving: SwapMachine, next_model: str) -> None:
    with serving.begin(setting("org/new", load_seconds=20)) as asked:
        until(lambda: serving.state.get("why") == "change")
        serving.reboot()
        asked.communicate(timeout=60)
    serving.until_served("org/old")
    status, output = serving.up(setting("org/new") if next_model == "org/new" else OLD)
    assert (status, serving.served()) == (0, next_model), output


def test_a_machine_that_reboots_serves_again_without_being_asked(serving: SwapMachine) -> None:
    serving.reboot()
    serving.until_served("org/old")
    until(lambda: serving.state["doing"] == "serving")
    assert [start["why"] for start in serving.timeline] == ["first start", "restart"]


@pytest.mark.parametrize("victim", ["EngineCore", "vllm.yaml"])
def test_a_server_of_which_a_process_is_killed_is_started_again(serving: SwapMachine, victim: str) -> None:
    before = serving.servers
    serving.kill(victim)
    until(lambda: serving.served() == "org/old" and not serving.servers & before)
    until(lambda: serving.state["doing"] == "serving")
    assert serving.timeline[-1]["why"] == "restart"
    assert serving.timeline[-1]["outage"] > 0
    assert len(serving.processes("EngineCore")) == 1


def test_a_service_that_is_killed_leaves_nothing_that_holds_the_port(serving: SwapMachine) -> None:
    """systemd would start it again; machines of this kind do not."""
    serving.kill("service.supervise")
    until(lambda: not serving.servers)
    status, output = serving.up(OLD)
    assert (status, serving.served()) == (0, "org/old"), output


def test_one_that_crashed_later_is_not_given_up(serving: SwapMachine) -> None:
    assert serving.up(setting("org/new"))[0] == 0
    serving.kill("EngineCore")
    until(lambda: serving.timeline[-1]["why"] == "restart")
    assert serving.served() == serving.named("current") == "org/new"


def test_a_good_one_that_hangs_while_it_loads_is_started_again(tmp_path: Path) -> None:
    with swap_machine(tmp_path) as machine:
        assert machine.up(setting("org/old", hang_while="stuck"), timeout_s=15)[0] == 0
        stuck = machine.home / "stuck"
        stuck.touch()
        machine.kill("EngineCore")
        until(lambda: machine.timeline[-1]["result"] == "failed")
        stuck.unlink()
        until(lambda: machine.timeline[-1]["result"] == "served")
        assert machine.served() == "org/old"


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("swaps", [4, pytest.param(50, marks=pytest.mark.long)])
def test_swaps_with_a_fault_in_every_third_leave_nothing_behind(serving: SwapMachine, swaps: int) -> None:
    settings = [setting("org/old"), setting("org/new")]
    serves = 0
    longest_load = 0.0
    assert serving.up(settings[1])[0] == 0
    serving.up(settings[0])
    before, files = _counted(serving), _files(serving)
    for number in range(swaps):
        if number % 3 == 2:
            behaviour = FAULTS[number // 3 % len(FAULTS)]
            status, output = serving.up(setting("org/faulty", behaviour=behaviour))
            assert status == 1, output
        else:
            serves = 1 - serves
            status, output = serving.up(settings[serves])
            assert status == 0, output
        assert serving.served() == ("org/old", "org/new")[serves], output
    serving.up(settings[0])
    longest_load = max(start["start"] for start in serving.timeline)
    outages = [start["outage"] for start in serving.timeline if start["outage"] is not None]
    # A fault costs the load that failed, the end of the old server and the load of the old one again.
    assert max(outages) < 2 * longest_load + 10
    assert _counted(serving) == before
    assert _files(serving) - files == set()


def _counted(machine: SwapMachine) -> dict[str, int]:
    """Processes and the ports on which they listen, once nothing is left beside the service and what it has started."""
    # A job and who follows it are seen for a moment after the command has returned.
    until(lambda: not _others(machine), LEFT_S, every=0.1, why=lambda: _others(machine))
    own = _own(machine)
    listening = sum(c.status == psutil.CONN_LISTEN for process in own for c in process.net_connections("tcp"))
    return {"processes": len(own), "ports": listening}


def _own(machine: SwapMachine) -> set[psutil.Process]:
    service = machine.processes("service.supervise")
    return {*service, *(child for process in service for child in process.children(recursive=True))}


def _others(machine: SwapMachine) -> set[psutil.Process]:
    return set(machine.processes("")) - _own(machine)


def _files(machine: SwapMachine) -> set[str]:
    """Without those that a faulty setting of the test has: its job, and the log that is kept."""
    places = (machine.base / "logs", machine.settings, machine.home / ".config/systemd")
    names = {str(path.relative_to(machine.home)) for place in places for path in place.rglob("*")}
    return {name for name in names if "failed" not in name and "vllm.log." not in name}
