"""Another setting on a machine that serves: what is served, what is told, and what is left."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.swap_machine import SwapMachine, setting, swap_machine

OLD, NEW = setting("org/old"), setting("org/new")


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[SwapMachine]:
    with swap_machine(tmp_path) as made:
        yield made


@pytest.fixture
def serving(machine: SwapMachine) -> SwapMachine:
    """The same, when it serves the old model."""
    status, output = machine.up(OLD)
    assert status == 0, output
    return machine


def test_a_first_start_serves_and_says_what(machine: SwapMachine) -> None:
    status, output = machine.up(OLD)
    assert status == 0, output
    assert "serving org/old over http on port 8000\n" in output
    assert machine.served() == "org/old"
    assert machine.named("good") == machine.named("current") == "org/old"


def test_another_model_is_served_in_its_place(serving: SwapMachine) -> None:
    status, output = serving.up(NEW)
    assert status == 0, output
    assert "serving org/new over http on port 8000\n" in output
    assert "outage: " in output
    assert serving.served() == "org/new"
    assert len(serving.servers) == 1


def test_one_that_dies_while_it_loads_gives_way_to_the_old_one(serving: SwapMachine) -> None:
    status, output = serving.up(setting("org/new", behaviour="crash"))
    print(output)
    assert status == 1
    assert serving.served() == "org/old"
