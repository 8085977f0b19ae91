"""A wheel out of sources, with progress meanwhile, and the cause in one line when there is none."""

import os
import re
import shutil
import sys
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from components.on_machine.install.source.plan import Plan
from components.on_machine.install.source.tools import Tools
from components.on_machine.shared.clock import now
from components.on_machine.shared.work import WorkError, say, saying
from components.vllm.release.install.source_pins import NVCC_THREADS, max_jobs

REPORT_S = 10.0
"""Between two lines of progress."""
STEP = re.compile(r"\[(\d+)/(\d+)\]")
"""Of ninja, at the beginning of a line."""
TELLING = re.compile(r"error|FAILED|Killed|build stopped|No space left")
MOST_TELLING, LONGEST_TELLING = 20, 400
"""Lines, and letters of one."""
MEMORY_RAN_OUT = re.compile(r"Killed|signal 9|Cannot allocate memory")
DISK_IS_FULL = "No space left on device"


def jobs_of_machine(meminfo: Path = Path("/proc/meminfo")) -> int:
    """As many compilers as cores and memory bear. `WorkError` when the memory is not told."""
    for line in meminfo.read_text().splitlines():
        if line.startswith("MemTotal:"):
            # In KiB.
            return max_jobs(len(os.sched_getaffinity(0)), int(line.split()[1]) * 1024)
    raise WorkError(f"{meminfo} has no MemTotal: set `buildJobs`", "memory-unknown")


def build_variables(plan: Plan, jobs: int, work: Path, kept: Path, path: str) -> dict[str, str]:
    """What the build is told of the machine; with ccache on `path`, its objects are in the folder `kept`."""
    variables = {
        "MAX_JOBS": str(jobs),
        "NVCC_THREADS": str(NVCC_THREADS),
        "TORCH_CUDA_ARCH_LIST": plan.capabilities,
        # On the machine's own disk: two machines must not write into one.
        "FETCHCONTENT_BASE_DIR": str(work / "fetched"),
    }
    if shutil.which("ccache", path=path):
        say(f"ccache keeps what is compiled in {kept / 'ccache'}")
        variables |= {"CCACHE_DIR": str(kept / "ccache"), "CCACHE_NOHASHDIR": "true"}
    return variables


class Builder:
    """Makes wheels, all of them into one folder."""

    def __init__(self, tools: Tools, plan: Plan, variables: Mapping[str, str], wheels: Path, log: Path, began: float):
        """`variables` are those of `build_variables`; `began` is when all of it began, by `clock.now`."""
        self._tools = tools
        self._plan = plan
        self._variables = variables
        self._jobs = int(variables["MAX_JOBS"])
        self._wheels = wheels
        self._log = log
        self._began = began

    def build(self, name: str, folder: Path, *options: str, variables: Mapping[str, str] | None = None) -> None:
        """Build the wheel of some sources; `name` is for people. `WorkError`."""
        say(f"building {name} with MAX_JOBS={self._jobs} for compute capability {self._plan.capabilities}")
        tools = self._tools
        command = (tools.uv, "build", "--wheel", "--python", tools.python, "--out-dir", self._wheels)
        scripts = tools.python.parent
        active = {"PATH": f"{scripts}:{tools.path}", "VIRTUAL_ENV": str(scripts.parent)}
        told = {**self._variables, **active, **(variables or {})}
        with self._log.open("w") as output, _reported(name, self._log, self._began):
            # There uv finds the settings of the sources.
            is_built = tools.run(*command, *options, folder, folder=folder, output=output, variables=told)
        if not is_built:
            lines = self._log.read_text(errors="replace").split("\n")
            for line in telling(lines):
                print(f"| {line}", file=sys.stderr, flush=True)
            raise failure(name, lines, self._jobs, self._log)


def _reported(name: str, log: Path, began: float) -> AbstractContextManager[None]:
    """Say now and then how far a build is, for as long as it takes."""

    def line() -> str:
        with log.open(errors="replace") as lines:
            return progress(name, lines, int(now() - began))

    return saying(line, REPORT_S)


def progress(name: str, log: Iterable[str], seconds: int) -> str:
    """How far a build is, with ninja's last step; at first there is none."""
    step = ""
    for line in log:
        if found := STEP.match(line):
            step = f"step {found[1]} of {found[2]}, "
    return f"building {name}: {step}{seconds} s"


def telling(lines: Iterable[str]) -> list[str]:
    """The last lines of a failed build that say why it failed."""
    return [line[:LONGEST_TELLING] for line in lines if TELLING.search(line)][-MOST_TELLING:]


def failure(name: str, lines: Iterable[str], jobs: int, log: Path) -> WorkError:
    """Why a build failed, by the lines of its log."""
    text = "\n".join(lines)
    if MEMORY_RAN_OUT.search(text):
        return WorkError(
            f"a compiler was killed because memory ran out, with {jobs} jobs: set `buildJobs` to {(jobs + 1) // 2} "
            "or less",
            "memory-ran-out",
        )
    if DISK_IS_FULL in text:
        return WorkError(f"{DISK_IS_FULL}: a build needs 40 GiB", "disk-full")
    return WorkError(f"{name} cannot be built; all that the build said is in {log} on the machine", "not-built")
