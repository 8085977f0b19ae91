"""One step of the set-up: one line on the screen, everything else in its log."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

LOG_LINES_SHOWN = 12


class ToolMissingError(Exception):
    """A tool is missing and could not be had. The message is one line that says which and how to get it."""


class CommandFailedError(Exception):
    """A command of a step failed or took too long; `log` holds all that it printed."""

    def __init__(self, reason: str, log: Path) -> None:
        super().__init__(reason)
        self.log = log


class Step:
    """Runs the commands of one step into one log."""

    def __init__(self, log: Path, stream: IO[bytes]) -> None:
        self._log = log
        self._stream = stream

    def run(
        self,
        *argv: str | Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> None:
        """Run one command to its end; `timeout` in seconds.

        The command and everything it started end when the time is up or the set-up is interrupted.

        Raises:
            CommandFailedError: exit status other than 0, time is up, or no such program.
        """
        self._stream.write(f"$ {' '.join(map(str, argv))}\n".encode())
        try:
            command = subprocess.Popen(
                argv,
                cwd=cwd,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=self._stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise CommandFailedError(f"{argv[0]} cannot be started: {error.strerror}", self._log) from None
        try:
            status = command.wait(timeout)
        except BaseException as error:
            end_group(command)
            if isinstance(error, subprocess.TimeoutExpired):
                raise CommandFailedError(f"{argv[0]} did not end in {timeout:.0f} s", self._log) from None
            raise
        if status != 0:
            raise CommandFailedError(f"{argv[0]} ended with status {status}", self._log)


@contextmanager
def step(what: str, log: Path) -> Iterator[Step]:
    """Announce `what`, and say at the end how many seconds it took or that it failed."""
    log.parent.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    print(f"set-up: {what} ... ", end="", flush=True)
    try:
        with log.open("wb", buffering=0) as stream:
            yield Step(log, stream)
    except BaseException:
        print(f"failed after {time.monotonic() - start:.0f} s", flush=True)
        raise
    print(f"{time.monotonic() - start:.0f} s", flush=True)


def end_group(command: subprocess.Popen[bytes]) -> None:
    """End a command started in its own session, with all that it started."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(command.pid, sign)
            command.wait(timeout=5)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def show_log_end(log: Path) -> None:
    """Print the last lines of a log and where the whole of it is, on stderr."""
    for line in log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:]:
        print(f"    {line}", file=sys.stderr)
    print(f"  the whole log: {log}", file=sys.stderr)
