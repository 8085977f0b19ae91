"""Says in one line why a job or the server failed, and what to change.

failures.py has the texts that are known, ends.py what there is to say of an end without any.
"""

import re
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path

from components.on_machine.diagnose.causes import Cause, known
from components.on_machine.diagnose.ends import End, ended_by, ended_without_a_word, signalled
from components.on_machine.diagnose.failures import DISK_FULL, DRIVER, ROWS
from components.vllm.release.diagnose.server_failures import GONE

TAIL_BYTES = 200_000
LONGEST_LINE = 2000
"""Of a line no more is looked at: what clients send may be in it, as long as they like."""
LONGEST = 400
SERVING = "serving"
UNKNOWN, SAID_BY_US = "unknown", "failed"
"""Codes of what stands in no table; whoever of ours fails gives a better one with its text, where there is one."""
WHERE = "whole log on the machine: "
FULL_BYTES = 1024**2
"""A disk with less than this left has no room for the last lines of a log."""

TOOL_ERROR = re.compile(
    r"^error: (?:Failed to|Request failed|No solution|No download|Could not connect|command '|subprocess-exited|"
    r"metadata-gen|legacy-install|could not compile|can't find Rust|RPC failed|pathspec|Hash mismatch)"
)
"""Lines of uv, pip, git and the compilers; every other line that begins with `error: ` is one of our scripts'."""

PREFIXES = re.compile(
    r"\x1b\[[0-9;]*m|^(?:\([\w-]+ pid=\d+\) ?)+(?:(?:ERROR|WARNING|CRITICAL) \d\d-\d\d [\d:]+ \[\S+\] ?)?", re.MULTILINE
)
"""Which process wrote a line, and when and where."""

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f]|\x1b(?!\[[0-9;]*m)")
"""What a terminal would obey; colours go with the prefixes."""

PASSED = re.compile(
    r"^retried: |thrown while requesting|Trying to resume download|Retrying \(Retry|(?:^|\) )(?:INFO|DEBUG) \d\d-\d\d |"
    r"^(?:INFO|DEBUG): |Error with model |^\s+For further information visit "
)
"""Lines of what was tried again, of vLLM's and uvicorn's that report no trouble, and of what clients asked for: they
may ask for anything, such as a model named like an error."""

WRAPPER = re.compile(
    r"See (?:root cause|stack trace)|Failed (?:core|frontend) proc|(?:EngineCore|WorkerProc|Executor) failed|"
    r"^SystemExit|engine core exited unexpectedly|output_handler failed|encountered a fatal error|\(engine dead\)"
)
"""Lines that tell of a failure that was somewhere else."""

WARNING = re.compile(r"(?:^|\) )WARNING \d\d-\d\d ")
"""Known texts may be in such lines, but what nobody knows is none: vLLM warns of much in words such as error."""

PYDANTIC = re.compile(
    r"\b\d{1,6} validation errors? for [^\n]*\n(?:[\w.]+\n)?\s*([^\n]*?)(?: \[type=[^\n]*)?$", re.MULTILINE
)
"""Its message is in the lines after the exception's."""

TRACEBACK = "Traceback (most recent call last):"
FRAME = re.compile(r'\s+File "(?:[^"]*/)?([^"/]+)", line (\d+)')
EXCEPTION = re.compile(r"(?!(?:WARNING|ERROR|CRITICAL):)([A-Za-z_][\w.]*)(?::\s*(.*))?$")
BARE_EXCEPTION = re.compile(r"[\w.]*(?:Error|Exception)\b(?::|$)")

OFFLOAD_ASKED = re.compile(r"'cpu_offload_gb': (?!0(?:\.0)?\b)[\d.]+")


def cause(log: str, disk_is_full: bool = False, end: End | None = None) -> str:
    """The words of `found`."""
    return found(log, disk_is_full, end).text


def found(log: str, disk_is_full: bool = False, end: End | None = None) -> Cause:
    """The cause and its remedy in plain words; where no known text is found, the error that came first of its chain.

    On a full disk the log ends before it says so. `end` is what is known besides of the end of a server.
    """
    log = "\n".join(CONTROL.sub("", line[:LONGEST_LINE]) for line in log.splitlines())
    written = [line for line in log.splitlines() if not PASSED.search(line)]
    text = "\n".join(PREFIXES.sub("", line) for line in written)
    # Before ours stands no name of a process: what vLLM logs may hold words of clients, line breaks among them.
    own = [
        line.removeprefix("error: ") for line in written if line.startswith("error: ") and not TOOL_ERROR.match(line)
    ]
    if own:
        return shortened(said_by_us(own[-1], text), LONGEST + (LONGEST if WHERE in own[-1] else 0))
    if disk_is_full:
        return Cause("disk-full", DISK_FULL)
    if offload_was_ignored(log):
        return Cause(
            "offload-ignored",
            "this vLLM ignored cpuOffloadGb: set `VLLM_USE_V2_MODEL_RUNNER: 0` in vllmEnv, or leave `vllmVersion` out "
            "(0.26 and 0.27 do so)",
        )
    gone = known(text, GONE)
    besides = f"; besides, {gone.text}" if gone else ""
    told = shortened(root(log, written, end), LONGEST - len(besides))
    return Cause(told.code, told.text + besides)


def shortened(told: Cause, longest: int) -> Cause:
    """With so many letters at most."""
    return Cause(told.code, told.text[:longest])


def root(log: str, lines: list[str], end: End | None) -> Cause:
    """What is closest to the root: a process that was killed takes others with it, and has no word of its own."""
    victim = signalled(log, end)
    # While it serves, what stands in the log may be hours old, and about what a client has asked for.
    if victim and (victim[1] == signal.SIGKILL or (end and end.stage == SERVING)):
        return ended_by(*victim, end)
    text = PREFIXES.sub("", "\n".join(lines))
    serious = PREFIXES.sub("", "\n".join(line for line in lines if not WARNING.search(line)))
    if told := known(text, ROWS):
        return told
    if telling := unknown(PYDANTIC.sub(r"\1", serious).splitlines()):
        return Cause(UNKNOWN, telling)
    if victim:
        return ended_by(*victim, end)
    last = next((line for line in reversed(PREFIXES.sub("", log).splitlines()) if line.strip()), "")
    return ended_without_a_word(log, last.strip(), end)


def said_by_us(line: str, text: str) -> Cause:
    """Our programs explain themselves, except for what a tool said above, and what the driver does to programs."""
    if "see above" in line:
        above = root("", text.replace(f"error: {line}", "").splitlines(), None)
        return Cause(above.code, line.replace("see above", f"since {above.text}"))
    remedy = known(line, DRIVER)
    return Cause(remedy.code, f"{line}: {remedy.text}") if remedy else Cause(SAID_BY_US, line)


def offload_was_ignored(log: str) -> bool:
    """The memory was too small although weights were to be offloaded, and vLLM does not say that it offloaded any."""
    too_small = re.search(r"No available memory for the cache blocks|CUDA out of memory\. Tried", log)
    return bool(too_small and OFFLOAD_ASKED.search(log) and "Total CPU offloaded parameters" not in log)


def unknown(lines: list[str]) -> str:
    """A line that tells most: an error that others wrap is above them, else it is the last one. Empty without any."""
    told = with_exceptions(lines)
    raised = [line for line, is_exception in told if is_exception and not WRAPPER.search(line)]
    if raised and any(WRAPPER.search(line) for line in lines):
        return raised[0]
    telling = [
        line.strip()
        for line, is_exception in told
        if (is_exception or re.search(r"error|Error|failed|Killed", line)) and not WRAPPER.search(line)
    ]
    return telling[-1] if telling else ""


def with_exceptions(lines: list[str]) -> list[tuple[str, bool]]:
    """Each line, and whether it is an exception: those that have no message with the place where they were raised."""
    told: list[tuple[str, bool]] = []
    frame, source, is_inside = "", "", False
    for line in lines:
        if line.startswith(TRACEBACK):
            frame, source, is_inside = "", "", True
        elif at := FRAME.match(line):
            frame, source = f"{at[1]}, line {at[2]}", ""
        elif is_inside and line[:1].isspace():
            source = source or line.strip()
        elif raised := EXCEPTION.match(line) if is_inside else BARE_EXCEPTION.match(line) and EXCEPTION.match(line):
            is_inside = False
            told.append((_exception(raised, frame, source), True))
            continue
        told.append((line, False))
    return told


def _exception(raised: "re.Match[str]", frame: str, source: str) -> str:
    name, message = raised[1], (raised[2] or "").strip()
    if message:
        return raised[0].strip()
    return f"{name} without a message" + (f", raised in {frame}: {source}" if frame else "")


def tail(path: Path) -> str:
    """The end of a log, which may be long."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL_BYTES))
        return file.read().decode(errors="replace")


@dataclass(frozen=True)
class Diagnosis:
    """Why something failed."""

    code: str
    """Names the cause for programs."""
    message: str
    """One line: what failed, why, what to do, and where the whole log is, unless the cause names one already."""


def diagnosis(name: str, log: Path, end: End | None = None) -> Diagnosis:
    """Of a job or a server, by its log."""
    why = found(tail(log), disk_is_full=shutil.disk_usage(Path.home()).free < FULL_BYTES, end=end)
    where = "" if WHERE in why.text else f" ({WHERE}{log})"
    return Diagnosis(why.code, f"{name} failed: {why.text}{where}")


def reason(name: str, log: Path, end: End | None = None) -> str:
    """The words of `diagnosis`."""
    return diagnosis(name, log, end).message
