"""A secret file on its way to a machine: whole, or not at all."""

import subprocess
from pathlib import Path

import pytest

from components.machine.host import with_end, write_command


def write(home: Path, sent: str) -> "subprocess.CompletedProcess[str]":
    """What the machine's shell does with so much of the input."""
    return subprocess.run(
        ["bash", "-c", write_command("keys")],
        cwd=home,
        input=sent,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("content", "kept"), [("one\ntwo\n", "one\ntwo\n"), ("one", "one\n"), ("", ""), ("a b $c '\n\n", "a b $c '\n\n")]
)
def test_a_file_that_came_whole_is_there_for_its_user_alone(tmp_path: Path, content: str, kept: str) -> None:
    done = write(tmp_path, with_end(content))
    file = tmp_path / ".config/lambda-vllm/keys"
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert file.read_text() == kept
    assert file.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in file.parent.iterdir()] == ["keys"]


@pytest.mark.parametrize("length", range(len(with_end("sk-next\n"))))
def test_a_connection_that_ends_before_all_has_come_leaves_the_file_of_before(tmp_path: Path, length: int) -> None:
    write(tmp_path, with_end("sk-before\n"))
    done = write(tmp_path, with_end("sk-next\n")[:length])
    file = tmp_path / ".config/lambda-vllm/keys"
    # Without its last newline the end is an end all the same.
    is_whole = length == len(with_end("sk-next\n")) - 1
    assert file.read_text() == ("sk-next\n" if is_whole else "sk-before\n")
    assert (done.returncode == 0) is is_whole
    assert is_whole or "before all of the file had come" in done.stderr
