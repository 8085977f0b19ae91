"""How the processes of the model server end, where none of them says why."""

import re
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from components.on_machine.diagnose.causes import Cause

OUT_OF_MEMORY = (
    "the machine ran out of memory, not the GPU: lower cpuOffloadGb, which takes up to 1.9 times as much there, or "
    "choose an instance type with more memory"
)
CRASHES = frozenset({signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT, signal.SIGTRAP})

# How vLLM tells of its processes: while they start, with several GPUs, and while they serve.
EXITED: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"Worker proc (\S+) died unexpectedly \(exit code: (-\d+)\)"), "the worker {}"),
    (re.compile(r"Failed core proc\(s\): \{[^}]*'(EngineCore\w*)': (-\d+)"), "the engine"),
)
ENGINE_GONE = re.compile(r"MPClient: engine core exited unexpectedly")


@dataclass(frozen=True)
class End:
    """What is known of the end of a server besides its log."""

    status: int
    """Exit status of the API server's process, negative for the signal that ended it."""
    stage: str
    """What the server did."""
    killed_for_memory: bool | None = None
    """The kernel has killed a process for want of memory meanwhile; None where nobody counts."""


class MemoryWatch:
    """Whether the kernel kills a process for want of memory from now on.

    It counts those of the service's control group (`memory.events`, cgroups(7)), to which all that it starts belongs,
    and those of the whole machine (`oom_kill` in /proc/vmstat).
    """

    def __init__(self, proc: Path = Path("/proc"), groups: Path = Path("/sys/fs/cgroup")) -> None:
        self._proc = proc
        self._groups = groups
        self._group, self._machine = self._counted()

    def has_killed(self) -> bool | None:
        """None where nobody counts."""
        group, machine = self._counted()
        for before, after in ((self._group, group), (self._machine, machine)):
            if before is not None and after is not None:
                return after > before
        return None

    def _counted(self) -> tuple[int | None, int | None]:
        group = ""
        with suppress(OSError):
            found = re.search(r"^0::/(.*)$", (self._proc / "self/cgroup").read_text(), re.MULTILINE)
            group = found[1] if found else ""
        return _count(self._groups / group / "memory.events"), _count(self._proc / "vmstat")


def _count(file: Path) -> int | None:
    with suppress(OSError):
        if found := re.search(r"^oom_kill (\d+)$", file.read_text(), re.MULTILINE):
            return int(found[1])
    return None


def signalled(log: str, end: End | None) -> tuple[str, int] | None:
    """Which process was ended by a signal, and by which; None when none was."""
    for pattern, name in EXITED:
        if found := pattern.search(log):
            return name.format(found[1]), -int(found[2])
    if end:
        # A shell tells of a signal by adding 128 to it.
        number = -end.status if end.status < 0 else end.status - 128
        if number in signal.valid_signals():
            return "the API server", number
    return None


def ended_without_a_word(log: str, last: str, end: End | None) -> Cause:
    """What there is to say when neither the log nor a signal says why; `last` is the last line of the log."""
    doing = f" while: {end.stage}" if end else ""
    if ENGINE_GONE.search(log):
        if end and end.killed_for_memory:
            return _killed_for_memory("the engine", doing)
        why = (
            "it was not killed by the kernel for want of memory, so it crashed or somebody killed it"
            if end and end.killed_for_memory is False
            else "it crashed, or was killed; look at the machine's memory"
        )
        return Cause("engine-gone", f"the engine's process ended without a word{doing}: {why}")
    if end and end.killed_for_memory:
        return _killed_for_memory("a process of the server", doing)
    said = f"; the last line of its log: {last}" if last else ""
    if end:
        told = f"the server ended by itself without a word (exit status {end.status}){doing}{said}"
        return Cause("ended-by-itself", told)
    return Cause("interrupted", f"it was interrupted, or left no message: run `pulumi up` again{said}")


def ended_by(name: str, number: int, end: End | None) -> Cause:
    """What a signal says, and what to do."""
    doing = f" while: {end.stage}" if end else ""
    known = number in {one.value for one in signal.Signals}
    signal_name = signal.Signals(number).name if known else f"signal {number}"
    if number == signal.SIGKILL:
        if end and end.killed_for_memory:
            return _killed_for_memory(name, doing)
        killed = f"{name}'s process was killed (SIGKILL){doing}"
        if end and end.killed_for_memory is False:
            return Cause(
                "killed-by-somebody",
                f"{killed}, not by the kernel for want of memory: somebody or another program on the machine did it",
            )
        return Cause("killed", f"{killed}: most likely {OUT_OF_MEMORY}")
    if number in CRASHES:
        return Cause(
            "crashed",
            f"{name}'s process crashed ({signal_name}){doing}: see the log for what it did last, leave `vllmVersion` "
            "out, or take a flag out of vllmArgs",
        )
    return Cause("ended-from-outside", f"{name}'s process was ended from outside ({signal_name}){doing}")


def _killed_for_memory(name: str, doing: str) -> Cause:
    return Cause("out-of-memory", f"the kernel killed {name}{doing}: {OUT_OF_MEMORY}")
