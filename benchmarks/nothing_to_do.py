"""What a run without changes costs: `up` and `preview` of machines that are there, against an empty program.

Beside it, what as many resources cost whose provider does nothing.
"""

import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from benchmarks.table import Table, against
from tests.engine.conftest import FLEET_PROGRAM, PROGRAMS
from tests.support.local_cloud import local_cloud
from tests.support.pulumi_project import Project, project

RUNS = 7
NUMBERS = (1, 5, 20)
BOUND = 1.5
PROGRAMS_COMPARED = {
    "fleet": FLEET_PROGRAM,
    "empty": PROGRAMS / "empty.py",
    "idle": Path(__file__).parent / "idle_resources.py",
}
COMMANDS = {"up": ("up", "--yes", "--skip-preview"), "preview": ("preview",)}


def main() -> None:
    """Measure in turn, so that a machine that gets slower meanwhile does so for all."""
    table = Table(
        f"Nothing to do (medians of {RUNS} runs in turn)",
        ("command", "N", "s", "empty program s", "ratio", "idle resources' ratio"),
    )
    with tempfile.TemporaryDirectory() as folder, local_cloud(Path(folder) / "cloud", "none", "0") as cloud:
        for number in NUMBERS:
            print(f"{number} machines without changes ...", file=sys.stderr, flush=True)
            with ExitStack() as projects:
                made: list[Project] = []
                for name, program in PROGRAMS_COMPARED.items():
                    where = Path(folder) / f"{name}-{number}"
                    where.mkdir()
                    one = projects.enter_context(project(where, cloud, program))
                    # As on a computer where Python may keep what it has compiled.
                    one.set_environment(PYTHONDONTWRITEBYTECODE="")
                    one.configure(apiUrl=cloud.url, count=number)
                    one.up()
                    made.append(one)
                _compare(made, number, table)
    table.show()


def _compare(projects: list[Project], number: int, table: Table) -> None:
    for command, arguments in COMMANDS.items():
        seconds: list[list[float]] = [[] for _ in projects]
        for _ in range(RUNS):
            for one, taken in zip(projects, seconds, strict=True):
                taken.append(_seconds(one, arguments))
        fleet, empty, idle = (median(taken) for taken in seconds)
        ratio = against(fleet / empty, BOUND)
        table.add(command, number, f"{fleet:.2f}", f"{empty:.2f}", ratio, f"{idle / empty:.2f}")


def _seconds(one: Project, arguments: tuple[str, ...]) -> float:
    began = time.monotonic()
    one.pulumi(*arguments)
    return time.monotonic() - began


if __name__ == "__main__":
    main()
