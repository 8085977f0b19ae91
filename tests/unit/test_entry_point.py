"""What a command says of errors that it did not expect, and that older Pythons can read the part which says it."""

import ast
import errno
from pathlib import Path

import pytest

import entry_point

ROOT = Path(__file__).resolve().parents[2]
READ_BY_ANY_PYTHON = [
    ROOT / "entry_point.py",
    *(ROOT / package / "__init__.py" for package in ("ops", "components", "localcloud", "scripts", "benchmarks")),
]


@pytest.mark.parametrize("file", READ_BY_ANY_PYTHON, ids=lambda file: str(file.relative_to(ROOT)))
def test_what_tells_of_an_old_python_is_understood_by_it(file: Path) -> None:
    ast.parse(file.read_text(), feature_version=(3, 6))


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (KeyboardInterrupt(), 130, ""),
        (
            PermissionError(errno.EACCES, "Permission denied", "/home/me/.cache"),
            1,
            "Permission denied: /home/me/.cache",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), 1, "No space left on device"),
        (FileNotFoundError("no usable temporary directory"), 1, "no usable temporary directory"),
        (RecursionError("deep\ndown"), 70, "a fault of this program: RecursionError: deep; LAMBDA_VLLM_TRACEBACK=1 "),
        (KeyError(), 70, "a fault of this program: KeyError; LAMBDA_VLLM_TRACEBACK=1 "),
        (ModuleNotFoundError("x", name="requests.adapters"), 1, "has no package `requests`; .venv/bin/python"),
        (ImportError("cannot import name 'A' from 'b'"), 1, "cannot import name 'A' from 'b'; .venv/bin/python"),
        (MemoryError(), 1, "out of memory"),
        (UnicodeEncodeError("utf-8", "\udce9", 0, 1, "surrogates not allowed"), 1, "a file's name is not UTF-8: "),
        (RuntimeError("Could not determine home directory."), 1, "this user has no home folder: set HOME"),
    ],
)
def test_each_kind_of_error_has_its_line_and_its_exit_status(error: BaseException, status: int, line: str) -> None:
    told = entry_point.ending_of(error, "requirements.txt")
    assert told.status == status
    assert line in told.line
    assert bool(line) == bool(told.line)
    assert "\n" not in told.line
