"""What a run without changes costs: `up` and `preview` of an endpoint and of machines, against an empty program.

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
from tests.support.local_cloud import LocalCloud, local_cloud
from tests.support.pulumi_cli import REPOSITORY
from tests.support.pulumi_project import Project, project
from tests.support.small_endpoint import use_small_endpoint

RUNS = 7
NUMBERS = (1, 5, 20)
BOUND = 1.5
EMPTY, IDLE = PROGRAMS / "empty.py", Path(__file__).parent / "idle_resources.py"
IDLE_AS_AN_ENDPOINT = 10
"""Machines of the idle program that come to as many resources as an endpoint has."""
COMMANDS = {"up": ("up", "--yes", "--skip-preview"), "preview": ("preview",)}


def main() -> None:
    """Measure in turn, so that a machine that gets slower meanwhile does so for all."""
    table = Table(
        f"Nothing to do (medians of {RUNS} runs in turn)",
        ("what", "command", "s", "empty program s", "ratio", "idle resources' ratio"),
    )
    with tempfile.TemporaryDirectory() as folder:
        _endpoint(Path(folder), table)
        _machines(Path(folder), table)
    table.show()


def _endpoint(folder: Path, table: Table) -> None:
    """The whole program, whose vLLM is a stand-in: with nothing to do that makes no difference."""
    print("an endpoint without changes ...", file=sys.stderr, flush=True)
    with local_cloud(folder / "cloud") as cloud, ExitStack() as projects:
        endpoint = _project(projects, folder / "endpoint", cloud, REPOSITORY / "__main__.py")
        use_small_endpoint(endpoint, cloud)
        others = [_project(projects, folder / program.stem, cloud, program) for program in (EMPTY, IDLE)]
        for one in others:
            one.configure(apiUrl=cloud.url, count=IDLE_AS_AN_ENDPOINT)
        _compare([endpoint, *others], "endpoint", table)


def _machines(folder: Path, table: Table) -> None:
    """Machines alone, of a cloud that has nothing behind its API."""
    with local_cloud(folder / "api-cloud", "none", "0") as cloud:
        for number in NUMBERS:
            print(f"{number} machines without changes ...", file=sys.stderr, flush=True)
            with ExitStack() as projects:
                programs = (FLEET_PROGRAM, EMPTY, IDLE)
                made = [_project(projects, folder / f"{one.stem}-{number}", cloud, one) for one in programs]
                for one in made:
                    one.configure(apiUrl=cloud.url, count=number)
                _compare(made, f"{number} machines", table)


def _project(projects: ExitStack, folder: Path, cloud: LocalCloud, program: Path) -> Project:
    folder.mkdir()
    made = projects.enter_context(project(folder, cloud, program))
    # As on a computer where Python may keep what it has compiled, and with its real pip.
    made.set_environment(PYTHONDONTWRITEBYTECODE="", PYTHONPATH="")
    return made


def _compare(projects: list[Project], what: str, table: Table) -> None:
    """Of the first against the second, which is empty, and the third, which does nothing."""
    for one in projects:
        one.up()
    for command, arguments in COMMANDS.items():
        seconds: list[list[float]] = [[] for _ in projects]
        for _ in range(RUNS):
            for one, taken in zip(projects, seconds, strict=True):
                taken.append(_seconds(one, arguments))
        compared, empty, idle = (median(taken) for taken in seconds)
        ratio = against(compared / empty, BOUND)
        table.add(what, command, f"{compared:.2f}", f"{empty:.2f}", ratio, f"{idle / empty:.2f}")


def _seconds(one: Project, arguments: tuple[str, ...]) -> float:
    began = time.monotonic()
    one.pulumi(*arguments)
    return time.monotonic() - began


if __name__ == "__main__":
    main()
