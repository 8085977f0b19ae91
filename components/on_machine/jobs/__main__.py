"""Runs long work so that it outlives the connection that asked for it, and follows it to its end.

    python3 -m components.on_machine.jobs [--again] NAME KEY MODULE [ARGUMENT…]

NAME and KEY (the hash of what the work is) name the job; MODULE is what is run, by its name below this package. The
first call starts it; every call shows its progress on standard error and ends with its result: one line of JSON on
standard output when it succeeded, one line of words when it did not. Work that succeeded is not done again, unless
other work of the same name was begun after it, which may have undone it, or `--again` asks for it. Work that failed or
was interrupted is started again, and has to be able to go on from where it stopped. Work under way is followed in any
case.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from types import FrameType
from typing import NoReturn

from components.on_machine.diagnose.explain import diagnosis
from components.on_machine.jobs.job import SUCCEEDED, Job, Result, forget_old
from components.on_machine.shared.locks import locked, try_lock
from components.on_machine.shared.paths import places
from components.on_machine.shared.release import hold

PACKAGE = "components.on_machine"
POLL_S = 0.2
LOOKED_AT_S = 1.0
"""Longer than whoever only looks holds the lock: who holds it still is the job."""
LONGEST_LINE = 500
"""Letters. A line of more than 64 KiB stops the reader at the other end for ever."""
NO_PATIENCE = 124


def main(words: list[str]) -> int:
    """Follow the job of the command line; the exit status."""
    asked = wanted(words)
    name: str = asked.name
    hold()
    job = Job(places(), name, asked.key)
    job.folder.mkdir(parents=True, exist_ok=True)
    # Also one that is there already: see `forget_old`.
    os.utime(job.folder)
    signal.signal(signal.SIGTERM, lambda *_: out_of_patience(name))
    if done := begin(job, f"{PACKAGE}.{asked.module}", asked.arguments, again=asked.again):
        print(done.to_json())
        return 0
    follow(job)
    return end(job)


def wanted(words: list[str]) -> argparse.Namespace:
    """The command line: `again`, `name`, `key`, `module`, `arguments`. Ends the process where it is none."""
    parser = argparse.ArgumentParser(f"python3 -m {PACKAGE}.jobs", allow_abbrev=False)
    parser.add_argument("--again", action="store_true", help="do also what was done already")
    parser.add_argument("name", metavar="NAME", help="of the job")
    parser.add_argument("key", metavar="KEY", help="hash of what the work is")
    parser.add_argument("module", metavar="MODULE", help=f"what is run, by its name below {PACKAGE}")
    parser.add_argument("arguments", metavar="ARGUMENT", nargs=argparse.REMAINDER, help="of the module")
    return parser.parse_args(words)


def begin(job: Job, module: str, arguments: list[str], *, again: bool) -> Result | None:
    """Start the job where that is needed; the result of one that is done already."""
    # One caller at a time looks and starts, so that none starts again what ended while it waited.
    with locked(job.door):
        lock = _take(job)
        if lock is None:
            show(f"{job.name}: under way, following it")
            return None
        try:
            done = job.result
            if done and done.status == SUCCEEDED and job.is_last() and not again:
                show(f"{job.name}: done in {done.seconds} s, before this run")
                return done
            forget_old(job.places, job.name, time.time())
            job.make_ready()
            _start(job, lock, module, arguments)
        finally:
            os.close(lock)
    return None


def _take(job: Job) -> int | None:
    until = time.monotonic() + LOOKED_AT_S
    while (lock := try_lock(job.lock)) is None and time.monotonic() < until:
        time.sleep(POLL_S / 10)
    return lock


def _start(job: Job, lock: int, module: str, arguments: list[str]) -> None:
    """Detached: what ends this process or its connection does not end the job, which has the lock from the first."""
    command = [sys.executable, "-m", f"{PACKAGE}.jobs.runner", str(lock), job.name, job.key, module, *arguments]
    with job.log.open("a") as log:
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            pass_fds=[lock],
            start_new_session=True,
        )


def follow(job: Job) -> None:
    """Show the progress until the job has ended."""
    with job.progress.open(errors="replace", newline="\n") as progress:
        rest = ""
        while True:
            # Asked before the last look: what was written until the end is shown.
            is_running = job.is_running()
            *lines, rest = (rest + progress.read().replace("\r", "\n")).split("\n")
            for line in lines:
                show(line)
            if not is_running:
                if rest:
                    show(rest)
                return
            time.sleep(POLL_S)


def end(job: Job) -> int:
    """Tell what came of it; the exit status."""
    result = job.result
    if result and result.status == SUCCEEDED:
        show(f"{job.name}: done in {result.seconds} s")
        print(result.to_json())
        return 0
    print(result.error.message if result and result.error else diagnosis(job.name, job.log).message, file=sys.stderr)
    return 1


def show(line: str) -> None:
    """Progress for the user."""
    print(line[:LONGEST_LINE], file=sys.stderr, flush=True)


def out_of_patience(name: str, _signal: int = 0, _frame: FrameType | None = None) -> NoReturn:
    """The time that `timeout` gives for following is over; the job goes on."""
    show(f"{name}: still under way after all this time; run pulumi up again to follow it")
    os._exit(NO_PATIENCE)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
