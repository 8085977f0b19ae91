"""Lines of output, and the words for a command that failed."""

import pytest

from scripts.command_plugin.command import exit_problem, failure_text
from scripts.command_plugin.lines import LineSplitter


def split(*chunks: bytes) -> list[str]:
    splitter = LineSplitter()
    return [line for chunk in chunks for line in splitter.feed(chunk)] + splitter.finish()


def test_lines_are_the_same_however_the_stream_is_cut() -> None:
    stream = "one\n\ntwø\r\nthree".encode()
    for cut in range(len(stream)):
        assert split(stream[:cut], stream[cut:]) == ["one", "", "twø", "three"]


def test_line_comes_as_soon_as_it_is_complete() -> None:
    splitter = LineSplitter()
    assert splitter.feed(b"on") == []
    assert splitter.feed(b"e\ntw") == ["one"]


def test_progress_with_carriage_returns_is_one_line() -> None:
    assert split(b"1%\r", b"2%\r3%\n") == ["1%\r2%\r3%"]


def test_line_of_a_megabyte_is_one_line() -> None:
    assert split(*[b"x" * 32_768] * 32, b"\n") == ["x" * 2**20]


def test_bytes_that_are_no_text_do_not_stop_the_log() -> None:
    assert split(b"\xff\n") == ["\N{REPLACEMENT CHARACTER}"]


@pytest.mark.parametrize(
    ("status", "exit_signal", "problem"),
    [
        (0, None, None),
        (3, None, "Process exited with status 3"),
        (-1, ("KILL", False, "", ""), "Process exited with status 137 from signal KILL"),
        (None, None, "wait: remote command exited without exit status or exit signal"),
    ],
)
def test_end_of_a_command_is_told_in_the_words_of_1_2_1(
    status: int | None, exit_signal: tuple[str, bool, str, str] | None, problem: str | None
) -> None:
    assert exit_problem(status, exit_signal) == problem


def test_failure_quotes_the_command_on_one_line_before_its_output() -> None:
    text = failure_text("Process exited with status 1", 'echo "ä"\nfalse', "out\nerr\n")
    assert text == 'Process exited with status 1: running "echo \\"ä\\"\\nfalse":\nout\nerr\n'
