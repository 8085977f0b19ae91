"""`--rate-limit` at the command line."""

from pathlib import Path
from typing import Any

import pytest

from localcloud import background, server
from localcloud.api.edge import RateLimit
from localcloud.cli import main

WORDS: list[tuple[str, RateLimit]] = [("lambda", "lambda"), ("off", "off"), ("0.1", 0.1), ("3", 3.0), ("1e-3", 0.001)]


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[RateLimit]:
    """The limit of every server that would have been started."""
    limits: list[RateLimit] = []

    async def serve(settings: server.Settings) -> None:
        limits.append(settings.rate_limit)

    monkeypatch.setattr(server, "serve", serve)
    return limits


@pytest.mark.parametrize(("word", "limit"), WORDS)
def test_serve_takes_a_word_or_a_factor(tmp_path: Path, served: list[Any], word: str, limit: RateLimit) -> None:
    assert main(["serve", f"--state={tmp_path}", "--rate-limit", word]) == 0
    assert served == [limit]


def test_without_the_flag_the_limits_are_lambdas(tmp_path: Path, served: list[Any]) -> None:
    assert main(["serve", f"--state={tmp_path}"]) == 0
    assert served == ["lambda"]


@pytest.mark.parametrize(("word", "limit"), WORDS)
def test_up_hands_its_limit_to_the_server(
    tmp_path: Path, served: list[Any], monkeypatch: pytest.MonkeyPatch, word: str, limit: RateLimit
) -> None:
    monkeypatch.setattr(background, "up", lambda _state, arguments: str(main(["serve", *arguments])))
    assert main(["up", f"--state={tmp_path}", "--rate-limit", word]) == 0
    assert served == [limit]


@pytest.mark.parametrize("word", ["0", "-1", "fast", "nan", "inf", "", "1e999"])
def test_anything_else_is_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], word: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["serve", f"--state={tmp_path}", f"--rate-limit={word}"])
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert said.count("\n") == 1
    assert f"{word!r} is not a rate limit (lambda, off, or a positive number)" in said
