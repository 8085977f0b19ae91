"""Work that a job does: a function that gives back facts, or raises why it cannot be done.

Standard output is progress for the user, a short line now and then; standard error is the log. What came of it is
written where the job's runner looks for it, so that nobody has to read it out of words for people.
"""

import json
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from components.on_machine.shared.release import hold

RESULT_VARIABLE = "LAMBDA_VLLM_RESULT"
"""Names the file into which the outcome is written. Without it, as by hand, the outcome is only shown."""
KEY_VARIABLE = "LAMBDA_VLLM_JOB_KEY"
"""The key of the job. By hand there is none."""

Facts = Mapping[str, Any]


class WorkError(Exception):
    """It cannot be done; the text is one line that says what to do, the code names the cause for programs.

    A text with `see above` is completed with the cause that the log shows.
    """

    def __init__(self, message: str, code: str = "failed") -> None:
        super().__init__(message)
        self.code = code


def say(line: str) -> None:
    """A line of progress. It is whole also where two threads say something at once."""
    print(f"{line}\n", end="", flush=True)


@contextmanager
def saying(line: Callable[[], str], every_s: float) -> Iterator[None]:
    """Say a line every some seconds, as it is by then, while what is inside goes on."""
    is_over = threading.Event()

    def report() -> None:
        while not is_over.wait(every_s):
            say(line())

    reporter = threading.Thread(target=report, daemon=True)
    reporter.start()
    try:
        yield
    finally:
        is_over.set()
        reporter.join()


def job_key() -> str:
    """The key of the job that this is the work of; empty by hand."""
    return os.environ.get(KEY_VARIABLE, "")


def run_work(work: Callable[[], "Facts | None"]) -> NoReturn:
    """Do it, write down what came of it, and end: 0 for facts, 1 for a `WorkError`."""
    hold()
    try:
        facts = work()
    except WorkError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        _write({"error": {"code": error.code, "message": str(error)}})
        sys.exit(1)
    _write({"facts": dict(facts or {})})
    sys.exit(0)


def _write(outcome: Facts) -> None:
    if file := os.environ.get(RESULT_VARIABLE):
        Path(file).write_text(json.dumps(outcome))
