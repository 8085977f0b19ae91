"""A secret on its way to a machine: whole, or not at all."""

import io
from pathlib import Path

import pytest

from components.on_machine.shared.paths import Places
from components.on_machine.shared.secret_input import read_whole, with_end
from components.on_machine.shared.work import WorkError
from components.on_machine.weights import token

SENT = with_end("hf-next-é\n").encode()


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        ("one\ntwo\n", "one\ntwo\n"),
        ("one", "one\n"),
        ("", ""),
        ("\n", "\n"),
        ("a b $c '\n\n", "a b $c '\n\n"),
        ("windows\r\n", "windows\r\n"),
        (with_end("a file in a file"), with_end("a file in a file")),
    ],
)
def test_what_came_whole_is_what_was_sent(content: str, kept: str) -> None:
    assert read_whole(io.BytesIO(with_end(content).encode())) == kept


def test_a_token_that_came_whole_is_there_for_its_user_alone(tmp_path: Path) -> None:
    home = Places(tmp_path)
    token.write(home, io.BytesIO(SENT))
    assert home.hub_token.read_text() == "hf-next-é\n"
    assert home.hub_token.stat().st_mode & 0o777 == 0o600
    assert home.settings.stat().st_mode & 0o777 == 0o700
    assert list(home.settings.iterdir()) == [home.hub_token]


@pytest.mark.parametrize("length", range(len(SENT)))
def test_a_connection_that_ends_before_all_has_come_leaves_the_token_of_before(tmp_path: Path, length: int) -> None:
    home = Places(tmp_path)
    token.write(home, io.BytesIO(with_end("hf-before\n").encode()))
    # Without its last newline the end is an end all the same.
    if length == len(SENT) - 1:
        token.write(home, io.BytesIO(SENT[:length]))
        assert home.hub_token.read_text() == "hf-next-é\n"
    else:
        with pytest.raises(WorkError, match="before all of the file had come: run `pulumi up` again") as caught:
            token.write(home, io.BytesIO(SENT[:length]))
        assert caught.value.code == "cut-off"
        assert home.hub_token.read_text() == "hf-before\n"
    assert list(home.settings.iterdir()) == [home.hub_token]
