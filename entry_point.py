"""How every command of this project ends where nobody has foreseen it: one line and an exit status, no traceback.

A package calls `guard` before it imports anything else, when one of its modules is being started with `python -m`: so
a Python that is too old and packages that are missing are told as that too. For this Python 3.6 has to be able to read
this file, and it needs nothing but the standard library. LAMBDA_VLLM_TRACEBACK brings the tracebacks back.
"""

import atexit
import os
import select
import signal
import sys
from contextlib import suppress
from types import TracebackType
from typing import NamedTuple, NoReturn, Optional, Type  # noqa: UP035  # what is newer, an old Python cannot read

OLDEST = (3, 11)
TRACEBACK_VARIABLE = "LAMBDA_VLLM_TRACEBACK"

FAILED = 1
"""Something outside the program; the line says what."""
FAULT = 70
"""The program's own fault, as EX_SOFTWARE of sysexits.h has it."""
INTERRUPTED = 128 + int(signal.SIGINT)
NOBODY_READS = 128 + int(signal.SIGPIPE)
STREAMS = ("stdin", "stdout", "stderr")

Ending = NamedTuple("Ending", [("status", int), ("line", str)])  # noqa: UP014
"""How a program ends; without a line it has nothing to say."""


def guard(program: str, requirements: str = "requirements.txt") -> None:
    """End this process well, whatever comes; `program` begins its lines, `requirements` is the list of its packages."""
    if sys.version_info < OLDEST:
        oldest, this = ".".join(map(str, OLDEST)), ".".join(map(str, sys.version_info[:3]))
        sys.exit(f"{program}: needs Python {oldest} or newer, and this is {this}: {_advice(requirements)}")
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        # A terminal may not know every letter of an answer.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]

    def end(kind: Type[BaseException], error: BaseException, trace: Optional[TracebackType]) -> NoReturn:  # noqa: UP006, UP045
        ending = ending_of(error, requirements)
        if ending.line and os.environ.get(TRACEBACK_VARIABLE):
            sys.__excepthook__(kind, error, trace)
        with suppress(OSError):
            if ending.line:
                print(f"{program}: {ending.line}", file=sys.stderr, flush=True)
        try:
            sys.stdout.flush()
        except OSError:
            # Told already, or nobody is there to be told.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(ending.status)

    sys.excepthook = end
    atexit.unregister(_write_out)
    atexit.register(_write_out, program)


def started_module() -> str:
    """The module that `python -m` was told to run; empty where this Python does not say, as one before 3.10."""
    words = list(getattr(sys, "orig_argv", ()))
    return str(words[words.index("-m") + 1]) if "-m" in words[:-1] else ""


def ending_of(error: BaseException, requirements: str) -> Ending:
    """What there is to say of an error that a program did not expect."""
    if isinstance(error, KeyboardInterrupt):
        return Ending(INTERRUPTED, "")
    if isinstance(error, BrokenPipeError) and _nobody_reads():
        return Ending(NOBODY_READS, "")
    if isinstance(error, ModuleNotFoundError):
        package = (error.name or "").split(".")[0]
        return Ending(FAILED, f"{sys.executable} has no package `{package}`; {_advice(requirements)}")
    if isinstance(error, ImportError):
        return Ending(FAILED, f"{_first_line(error)}; {_advice(requirements)}")
    if isinstance(error, MemoryError):
        return Ending(FAILED, "out of memory")
    if isinstance(error, OSError):
        what = error.strerror or _first_line(error) or type(error).__name__
        return Ending(FAILED, f"{what}: {error.filename}" if error.filename else what)
    said = _first_line(error)
    if isinstance(error, UnicodeError):
        return Ending(FAILED, f"a text or a file's name is not UTF-8: {said}")
    if isinstance(error, RuntimeError) and "home directory" in said:
        return Ending(FAILED, "this user has no home folder: set HOME")
    kind = type(error).__name__
    named = f"{kind}: {said}" if said else kind
    return Ending(FAULT, f"a fault of this program: {named}; {TRACEBACK_VARIABLE}=1 shows where")


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0]


def _advice(requirements: str) -> str:
    return f".venv/bin/python, which `make tools` sets up, has all of {requirements}"


def _open_closed_streams() -> None:
    """What is closed from the start is as /dev/null: nothing else may get its number, and no text its place."""
    for number, name in enumerate(STREAMS):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            os.set_inheritable(number, True)
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115


def _nobody_reads() -> bool:
    """Whether whoever read the output has gone. Another connection that broke is another matter."""
    poll = select.poll()
    for number in (1, 2):
        poll.register(number, select.POLLOUT)
    return any(state & select.POLLERR for _, state in poll.poll(0))


def _write_out(program: str) -> None:
    """What is still to be written goes out while its failure can be told."""
    # There is nothing left to clean up.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os._exit(NOBODY_READS)
    except OSError as error:
        print(f"{program}: {error.strerror}: standard output", file=sys.stderr, flush=True)
        os._exit(FAILED)
