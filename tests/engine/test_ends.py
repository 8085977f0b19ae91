"""Every end of a server leaves its log and one line with the cause, which is also the log's last."""

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.polling import PATIENCE_S, until
from tests.support.swap_machine import PORT, SwapMachine, setting, swap_machine

SERVED = setting("org/old")


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[SwapMachine]:
    with swap_machine(tmp_path) as made:
        yield made


def failed_log(machine: SwapMachine) -> str:
    """The log that was kept; empty when none was."""
    file = machine.base / "logs/failed.log"
    return file.read_text() if file.exists() else ""


def last_line(machine: SwapMachine) -> str:
    return failed_log(machine).rstrip().rpartition("\n")[2]


@contextmanager
def port_taken(machine: SwapMachine) -> Iterator[None]:
    """Somebody listens where the server wants to."""
    with socket.create_server((machine.address, PORT)):
        yield


@pytest.mark.parametrize(
    ("behaviour", "told"),
    [
        ("crash", "the model is larger than the GPU's memory"),
        ("silent", "ended by itself without a word (exit status 0)"),
        ("empty", "AssertionError without a message, raised in stand_in_vllm.py"),
        ("open", "the server answers without the key"),
        ("other-name", "the server lists other/name, not org/new"),
    ],
)
def test_a_first_start_that_comes_to_nothing(machine: SwapMachine, behaviour: str, told: str) -> None:
    status, output = machine.up(setting("org/new", behaviour=behaviour))
    assert status == 1
    (line,) = (line for line in output.splitlines() if "swap failed" in line)
    assert told in line
    assert f"{machine.base}/logs/failed.log" in line
    assert told in last_line(machine)
    assert "Starting to load model org/new" in failed_log(machine)
    assert told in machine.timeline[-1]["trouble"]


def test_one_that_is_not_ready_in_time(machine: SwapMachine) -> None:
    assert machine.up(SERVED)[0] == 0
    status, output = machine.up(setting("org/new", behaviour="hang"), timeout_s=5)
    assert status == 1
    assert "was not ready after 5 s, its stage was: loading the weights" in output
    assert f"{machine.base}/logs/failed.log" in output
    assert "was not ready after 5 s" in last_line(machine)
    assert "Starting to load model org/new" in failed_log(machine)


def test_a_port_that_is_taken(machine: SwapMachine) -> None:
    with port_taken(machine):
        status, output = machine.up(SERVED)
    assert status == 1
    assert "the port is taken on the machine" in output
    assert "the port is taken on the machine" in last_line(machine)


@pytest.mark.parametrize(
    ("victim", "told"),
    [
        ("EngineCore", "the engine's process ended without a word"),
        ("vllm.yaml", "the API server's process was killed (SIGKILL)"),
    ],
)
def test_a_process_that_is_killed_while_it_serves(machine: SwapMachine, victim: str, told: str) -> None:
    assert machine.up(SERVED)[0] == 0
    machine.kill(victim)
    until(lambda: len(machine.timeline) == 2)
    assert told in last_line(machine)
    assert "while: serving" in last_line(machine)
    # The next start has a log of its own, and its entry says what it was made necessary by.
    assert machine.timeline[-1]["result"] == "served"
    assert told in machine.timeline[-1]["after"]


def test_a_process_that_is_killed_while_it_loads(machine: SwapMachine) -> None:
    with machine.begin(setting("org/new", behaviour="hang")) as asked:
        until(lambda: machine.state.get("stage") == "loading the weights")
        machine.kill("vllm.yaml")
        output, _ = asked.communicate(timeout=PATIENCE_S)
    assert "the API server's process was killed (SIGKILL) while: loading the weights" in output
    assert "was killed (SIGKILL) while: loading the weights" in last_line(machine)


def test_a_service_that_is_killed_while_it_loads(machine: SwapMachine) -> None:
    assert machine.up(SERVED)[0] == 0
    with machine.begin(setting("org/new", behaviour="hang")) as asked:
        until(lambda: machine.state.get("stage") == "loading the weights" and machine.state["why"] == "change")
        machine.kill("service.supervise")
        until(lambda: not machine.servers)
        machine.run("systemctl --user start lambda-vllm.service")
        output, _ = asked.communicate(timeout=PATIENCE_S)
    assert "the service was stopped or killed before it was ready" in output
    assert f"{machine.base}/logs/failed.log" in output
    assert "Starting to load model org/new" in failed_log(machine)
    assert machine.served() == "org/old"


def test_a_stop_by_systemd_is_no_failure(machine: SwapMachine) -> None:
    assert machine.up(SERVED)[0] == 0
    assert machine.run("systemctl --user stop lambda-vllm.service")[0] == 0
    until(lambda: machine.state["doing"] == "stopped")
    assert signal.SIGTERM.name in machine.state["trouble"]
    assert failed_log(machine) == ""
