"""apt-get as root on a machine whose root is played: others' locks, what passes and what does not."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from components.on_machine.shared.apt import apt_as_root
from tests.support.gpu_machine import GpuMachine
from tests.support.polling import PATIENCE_S, until
from tests.support.pulumi_cli import REPOSITORY

UPDATE = "from components.on_machine.shared import apt, paths; apt.apt_as_root(paths.places(), 'update')"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GpuMachine:
    """One whose programs are those of this process."""
    machine = GpuMachine(tmp_path)
    for name, value in machine.environment.items():
        monkeypatch.setenv(name, value)
    return machine


@pytest.fixture
def slept() -> list[float]:
    """Seconds of each wait; none is waited."""
    return []


def fails(times: int, said: str, verb: str) -> str:
    """Root, for whom the first commands with that verb fail."""
    return f"""echo "sudo $*" >>"$HOME/called"
        [[ $* == *" {verb}"* ]] || exit 0
        (($(grep -c " {verb}" "$HOME/called") > {times})) || {{ echo "{said}"; exit 100; }}"""


def test_apts_lock_is_waited_for_by_the_minute_and_is_not_taken_for_the_cause_later(
    machine: GpuMachine, slept: list[float], capfd: "pytest.CaptureFixture[str]"
) -> None:
    # apt waits for dpkg's lock, yet ends at once where the lists are locked, as apt-daily has them after a boot.
    machine.play("sudo", fails(5, "E: Could not get lock /var/lib/apt", "update"))
    assert apt_as_root(machine.places, "update", sleep=slept.append)
    said = capfd.readouterr()
    assert "another program holds apt's lock, as on a fresh machine: waiting, 50 s" in said.out
    assert slept == [10] * 5
    assert said.err.count("retried: E: Could not get lock") == 5
    assert "E: Could not get lock" not in said.err.replace("retried: E: Could not get lock", "")


def test_a_lock_that_is_never_let_go_is_the_cause_after_ten_minutes(
    machine: GpuMachine, slept: list[float], capfd: "pytest.CaptureFixture[str]"
) -> None:
    machine.play("sudo", "echo 'E: Could not get lock /var/lib/apt'; exit 100")
    assert not apt_as_root(machine.places, "update", sleep=slept.append)
    assert sum(slept) == 600
    assert capfd.readouterr().err.splitlines()[-1] == "E: Could not get lock /var/lib/apt"


def test_a_mirror_that_stumbles_is_asked_again(
    machine: GpuMachine, slept: list[float], capfd: "pytest.CaptureFixture[str]"
) -> None:
    machine.play("sudo", fails(2, "E: Failed to fetch a file", "install"))
    assert apt_as_root(machine.places, "install", "-y", "g++", sleep=slept.append)
    assert capfd.readouterr().out.count("apt-get install failed, trying again") == 2
    assert slept == [10, 20]


def test_a_mirror_that_goes_on_stumbling_is_given_up(machine: GpuMachine, slept: list[float]) -> None:
    machine.play("sudo", fails(99, "E: Failed to fetch a file", "install"))
    assert not apt_as_root(machine.places, "install", "-y", "g++", sleep=slept.append)
    assert machine.called.count(" install ") == 3


def test_a_dpkg_that_was_interrupted_is_completed_first(machine: GpuMachine, slept: list[float]) -> None:
    machine.play(
        "sudo",
        """echo "sudo $*" >>"$HOME/called"
        [[ $* == *" install "* ]] || exit 0
        grep -q configure "$HOME/called" || { echo "E: dpkg was interrupted, you must run dpkg"; exit 100; }""",
    )
    assert apt_as_root(machine.places, "install", "-y", "g++", sleep=slept.append)
    assert "--force-confold --configure -a" in machine.called


def test_what_apt_will_never_do_is_not_tried_again_and_its_words_are_in_the_log(
    machine: GpuMachine, slept: list[float], capfd: "pytest.CaptureFixture[str]"
) -> None:
    machine.play("sudo", 'echo "sudo $*" >>"$HOME/called"; echo "E: Unable to locate package"; exit 100')
    assert not apt_as_root(machine.places, "update", sleep=slept.append)
    assert capfd.readouterr().err == "E: Unable to locate package\n"
    assert machine.called.count("apt-get") == 1
    assert slept == []


def test_a_machine_without_sudo_is_told_as_that(
    machine: GpuMachine, slept: list[float], monkeypatch: pytest.MonkeyPatch, capfd: "pytest.CaptureFixture[str]"
) -> None:
    (machine.bin / "sudo").unlink()
    monkeypatch.setenv("PATH", str(machine.bin))
    assert not apt_as_root(machine.places, "update", sleep=slept.append)
    assert capfd.readouterr().err == "sudo: No such file or directory\n"


def test_a_cut_connection_does_not_stop_apt_halfway(machine: GpuMachine) -> None:
    gate = machine.home / "gate"
    os.mkfifo(gate)
    machine.play("sudo", 'echo begun >>"$HOME/called"; read -r <"$HOME/gate"; echo whole >>"$HOME/called"')
    asking = subprocess.Popen([sys.executable, "-c", UPDATE], cwd=REPOSITORY, start_new_session=True)
    until(lambda: "begun" in machine.called)
    os.killpg(asking.pid, signal.SIGHUP)
    assert asking.wait(PATIENCE_S) == -signal.SIGHUP
    gate.write_text("go on\n")
    until(lambda: "whole" in machine.called)
