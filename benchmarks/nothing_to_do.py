"""What a run without changes costs: `up` and `preview` of machines that are there, against an empty program."""

import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.table import Table, against
from tests.engine.conftest import FLEET_PROGRAM, PROGRAMS
from tests.local_cloud import local_cloud
from tests.pulumi_project import Project, project

RUNS = 7
NUMBERS = (1, 20)
BOUND = 1.5
COMMANDS = {"up": ("up", "--yes", "--skip-preview"), "preview": ("preview",)}


def main() -> None:
    """Measure in turn, so that a machine that gets slower meanwhile does so for both."""
    table = Table(f"Nothing to do (medians of {RUNS} runs in turn)", ("command", "N", "s", "empty program s", "ratio"))
    with tempfile.TemporaryDirectory() as folder, local_cloud(Path(folder) / "cloud", "none", "0") as cloud:
        for number in NUMBERS:
            print(f"{number} machines without changes ...", file=sys.stderr, flush=True)
            mine, other = Path(folder) / f"fleet-{number}", Path(folder) / f"empty-{number}"
            mine.mkdir()
            other.mkdir()
            with project(mine, cloud, FLEET_PROGRAM) as fleet, project(other, cloud, PROGRAMS / "empty.py") as empty:
                for one in (fleet, empty):
                    # As on a computer where Python may keep what it has compiled.
                    one.set_environment(PYTHONDONTWRITEBYTECODE="")
                    one.configure(apiUrl=cloud.url)
                fleet.configure(count=number)
                fleet.up()
                empty.up()
                _compare(fleet, empty, number, table)
    table.show()


def _compare(fleet: Project, empty: Project, number: int, table: Table) -> None:
    for command, arguments in COMMANDS.items():
        ours, theirs = [], []
        for _ in range(RUNS):
            ours.append(_seconds(fleet, arguments))
            theirs.append(_seconds(empty, arguments))
        ratio = median(ours) / median(theirs)
        table.add(command, number, f"{median(ours):.2f}", f"{median(theirs):.2f}", against(ratio, BOUND))


def _seconds(one: Project, arguments: tuple[str, ...]) -> float:
    began = time.monotonic()
    one.pulumi(*arguments)
    return time.monotonic() - began


if __name__ == "__main__":
    main()
