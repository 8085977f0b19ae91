"""The command line of a job: what is asked for, and what is said where it is none."""

import subprocess
import sys

import pytest

from components.on_machine.jobs.__main__ import wanted
from components.vllm.programs import PACKAGE
from tests.support.pulumi_cli import REPOSITORY


@pytest.mark.parametrize(
    ("words", "again", "arguments"),
    [
        ("install key install", False, []),
        ("--again install key install", True, []),
        ("install key install wheel --again -h --jobs 2 --", False, ["wheel", "--again", "-h", "--jobs", "2", "--"]),
        ("--again install key install --triton", True, ["--triton"]),
    ],
)
def test_what_follows_the_module_is_the_modules(words: str, again: bool, arguments: list[str]) -> None:
    asked = wanted(words.split())
    assert (asked.again, asked.name, asked.key, asked.module) == (again, "install", "key", "install")
    assert asked.arguments == arguments


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (["--help"], 0, "what is run, by its name below components.on_machine"),
        ([], 2, "the following arguments are required: NAME, KEY, MODULE"),
        (["install", "key"], 2, "the following arguments are required: MODULE"),
        (["--agian", "install", "key", "install"], 2, "unrecognized arguments: --agian"),
    ],
)
def test_words_that_are_no_command_line_get_the_one_that_there_is(words: list[str], status: int, told: str) -> None:
    command = [sys.executable, "-m", f"{PACKAGE}.jobs", *words]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=120)
    said = done.stdout + done.stderr
    assert done.returncode == status
    assert said.startswith(f"usage: python3 -m {PACKAGE}.jobs [-h] [--again]")
    assert told in said


def test_a_fault_is_told_under_the_name_of_the_command_that_was_started() -> None:
    command = [sys.executable, "-m", f"{PACKAGE}.jobs.runner"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=120)
    assert done.stderr.startswith("runner: a fault of this program: IndexError: ")
