"""The install's step for CUDA's compatibility libraries, on a played GPU machine, with its waits written down."""

from dataclasses import dataclass

import pytest

from components.on_machine.driver.libraries import install_libraries
from components.on_machine.shared.work import WorkError
from tests.support.gpu_machine import GpuMachine


@dataclass(frozen=True)
class Outcome:
    """What came of it."""

    error: str
    """Empty when it succeeded."""
    stdout: str
    stderr: str
    slept: list[float]
    """Seconds of each wait; none is waited."""


def libraries_on(machine: GpuMachine, environment: pytest.MonkeyPatch, output: "pytest.CaptureFixture[str]") -> Outcome:
    """Have the libraries where the driver needs them, in this process, whose programs are the machine's."""
    slept: list[float] = []
    error = ""
    output.readouterr()
    with environment.context() as own:
        for name, value in machine.environment.items():
            own.setenv(name, value)
        try:
            install_libraries(machine.places, "auto", "wheel", "0.32.0", sleep=slept.append)
        except WorkError as why:
            error = str(why)
    said = output.readouterr()
    return Outcome(error, said.out, said.err, slept)
