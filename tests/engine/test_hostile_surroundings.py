"""Commands in surroundings that they were not made for: one line and a defined exit status, never a traceback."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from tests.support.pulumi_cli import REPOSITORY

MODULES = (
    "ops",
    "components.vllm.preflight",
    "localcloud",
    "localcloud.testing",
    "scripts.local",
    "scripts.live_check",
    "benchmarks",
)
WRITING = ("ops", "components.vllm.preflight", "localcloud", "scripts.local", "scripts.live_check")
"""Their `--help` is long enough to be piped."""
OLD = ("3.6", "3.7", "3.8", "3.9", "3.10")

INTERRUPTED_IN_AN_IMPORT = """
import os, runpy, signal, sys
class Interrupting:
    def find_spec(self, name, *rest):
        if name == {name!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
sys.argv = ["-m"]
runpy._run_module_as_main({module!r})
"""


def start(
    *words: str, python: str = sys.executable, input: str | None = None, cwd: Path = REPOSITORY, **environment: str
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [python, *words],
        cwd=cwd,
        env={**os.environ, **environment},
        input=input,
        stdin=subprocess.DEVNULL if input is None else None,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def assert_one_line(done: "subprocess.CompletedProcess[str]", status: int, *told: str) -> None:
    assert done.stderr.count("\n") == 1, done.stderr
    for words in told:
        assert words in done.stderr
    assert (done.returncode, done.stdout) == (status, "")


@pytest.mark.parametrize("module", MODULES)
def test_without_the_packages_a_line_says_which_python_has_them(module: str) -> None:
    # -S: as a Python into which nothing was installed.
    done = start("-S", "-m", module)
    assert_one_line(done, 1, f"{sys.executable} has no package ", ".venv/bin/python, which `make tools` sets up")


@pytest.mark.parametrize("version", OLD)
@pytest.mark.parametrize("module", MODULES)
def test_a_python_that_is_too_old_is_told_as_that(module: str, version: str) -> None:
    python = old_python(version)
    if python is None:
        pytest.skip(f"there is no Python {version} here")
    assert_one_line(start("-m", module, python=python), 1, f"needs Python 3.11 or newer, and this is {version}.")


def old_python(version: str) -> str | None:
    """One that starts: version managers put programs of all names on PATH, of which some only complain."""
    managed = sorted((Path.home() / ".pyenv/versions").glob(f"{version}.*/bin/python"))
    for python in [shutil.which(f"python{version}"), *map(str, managed)]:
        if python and subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0:
            return python
    return None


@pytest.mark.parametrize("module", MODULES)
def test_ctrl_c_while_it_is_still_being_loaded_ends_it_without_a_word(module: str) -> None:
    name = "psutil" if module in ("localcloud", "scripts.local") else "requests"
    if module in ("localcloud.testing", "benchmarks"):
        name = "asyncio"
    done = start("-c", INTERRUPTED_IN_AN_IMPORT.format(module=module, name=name))
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


PRINTING = "import sys; sys.argv = ['-m']; import ops; print('x')"
TO_WRITE = [*(("-m", module, "--help") for module in WRITING), ("-c", PRINTING), ("-u", "-c", PRINTING)]
"""At the end, when the buffer is full, or at once; what `argparse` cannot write it leaves out at once."""


@pytest.mark.parametrize("words", TO_WRITE)
def test_a_reader_that_has_gone_ends_it_quietly_as_it_ends_other_programs(words: tuple[str, ...]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing) as nobody:
        done = write_to(nobody, *words)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, "")


@pytest.mark.parametrize("words", TO_WRITE)
def test_a_full_disk_behind_the_output_is_one_line(words: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        done = write_to(full, *words)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert "No space left on device" in done.stderr


def write_to(output: IO[str], *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *words],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONUNBUFFERED": ""},
        stdout=output,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("module", WRITING)
def test_a_stream_that_is_closed_from_the_start_is_as_one_that_nobody_reads(module: str, closed: str) -> None:
    done = start("-c", f'exec "$0" -m {module} --help {closed}', sys.executable, python="sh")
    assert (done.returncode, done.stderr) == (0, "")
    assert ("usage: " in done.stdout) == (">&-" not in closed.replace("2>&-", ""))


def test_what_is_for_standard_error_does_not_land_in_the_result_when_that_is_closed() -> None:
    done = start("-c", 'exec "$0" -m localcloud status --state /nowhere 2>&-', sys.executable, python="sh")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


@pytest.mark.parametrize("module", WRITING)
def test_a_folder_that_is_started_as_a_program_says_how_it_is_started(module: str, tmp_path: Path) -> None:
    done = start(str(REPOSITORY / module.replace(".", "/")), cwd=tmp_path)
    assert_one_line(done, 1, f"start it as `python -m {module}`")


def test_a_fault_of_our_own_is_one_line_and_the_variable_brings_the_traceback_back() -> None:
    words = ("-c", "import sys; sys.argv = ['-m']; import ops; raise LookupError('first\\nsecond')")
    assert_one_line(start(*words), 70, "ops: a fault of this program: LookupError: first; LAMBDA_VLLM_TRACEBACK=1 ")
    done = start(*words, LAMBDA_VLLM_TRACEBACK="1")
    assert "Traceback (most recent call last)" in done.stderr
    assert done.returncode == 70


def test_a_letter_that_the_terminal_does_not_know_is_no_fault() -> None:
    done = start("-c", PRINTING.replace("'x'", "'caf\\xe9'"), PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stdout, done.stderr) == (0, "caf\\xe9\n", "")


def test_a_folder_that_cannot_be_written_is_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    place = str(tmp_path / "file/cloud")
    assert_one_line(start("-m", "localcloud", "up", "--state", place), 1, "localcloud: ", place)
