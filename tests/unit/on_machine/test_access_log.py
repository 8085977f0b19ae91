"""What succeeds leaves no line in the server's log, what fails does. Records as uvicorn 0.54 makes them."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from components.on_machine.service import access_log
from components.on_machine.service.access_log import FLAGS_VARIABLE, MOST_REFUSALS, Failures, FailuresOnly
from components.vllm.release.service.names import ACCESS

FORMAT = '%s - "%s %s HTTP/%s" %d'


class Lines(logging.Handler):
    """What would be written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.written.append(record.getMessage())


@pytest.fixture
def lines() -> Iterator[Lines]:
    """Of uvicorn's logger, as it was before afterwards."""
    handler, logger = Lines(), logging.getLogger(ACCESS)
    before = logger.level, logger.filters[:]
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(before[0])
    logger.filters = before[1]


async def app(*_: Any) -> None:
    """Nobody asks it."""


def answered(status: int, path: str = "/v1/models") -> None:
    logging.getLogger(ACCESS).info(FORMAT, "203.0.113.7:4711", "GET", path, "1.1", status)


def settings(folder: Path, monkeypatch: pytest.MonkeyPatch, **flags: Any) -> None:
    """The file that the server is started with."""
    named = {name.replace("_", "-"): value for name, value in flags.items()}
    (folder / "vllm.yaml").write_text(json.dumps({"model": "a/b", **named}))
    monkeypatch.setenv(FLAGS_VARIABLE, str(folder / "vllm.yaml"))
    monkeypatch.delenv("VLLM_LOGGING_CONFIG_PATH", raising=False)


def test_only_what_fails_leaves_a_line(lines: Lines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings(tmp_path, monkeypatch)
    FailuresOnly(app)
    for status in (101, 200, 204, 304, 400, 401, 404, 422, 500, 503):
        answered(status)
    assert [line.rpartition(" ")[2] for line in lines.written] == ["400", "401", "404", "422", "500", "503"]


@pytest.mark.parametrize(
    "flags",
    [
        {"disable_uvicorn_access_log": False},
        {"disable_access_log_for_endpoints": "/health,/metrics"},
        {"uvicorn_log_level": "info"},
        {"log_config_file": "/home/ubuntu/logging.json"},
        {"logging_config": {"formatter": "json"}},
        {"logging_config.formatter": "json"},
    ],
)
def test_who_says_himself_what_is_logged_gets_that(
    lines: Lines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: dict[str, Any]
) -> None:
    settings(tmp_path, monkeypatch, **flags)
    FailuresOnly(app)
    answered(200)
    assert len(lines.written) == 1


def test_so_does_who_has_a_file_for_pythons_logging(
    lines: Lines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings(tmp_path, monkeypatch)
    monkeypatch.setenv("VLLM_LOGGING_CONFIG_PATH", "/home/ubuntu/logging.json")
    FailuresOnly(app)
    answered(200)
    assert len(lines.written) == 1


@pytest.mark.parametrize("text", [None, "not JSON"])
def test_settings_that_cannot_be_read_change_nothing(
    lines: Lines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None
) -> None:
    settings(tmp_path, monkeypatch)
    if text is None:
        monkeypatch.delenv(FLAGS_VARIABLE)
    else:
        (tmp_path / "vllm.yaml").write_text(text)
    FailuresOnly(app)
    answered(200)
    answered(500)
    assert len(lines.written) == 1


def record(status: Any) -> logging.LogRecord:
    return logging.LogRecord(ACCESS, logging.INFO, "", 0, FORMAT, ("a", "GET", "/", "1.1", status), None)


def test_strangers_who_are_refused_by_the_thousand_do_not_fill_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    said = Lines()
    monkeypatch.setattr(access_log.besides, "handlers", [said])
    monkeypatch.setattr(access_log.besides, "propagate", False)
    now = 0.0
    failures = Failures(lambda: now)
    assert sum(failures.filter(record(401)) for _ in range(5000)) == MOST_REFUSALS
    # What the server itself does wrong is not lost among them.
    assert failures.filter(record(500))
    assert said.written == []
    now = 61.0
    assert failures.filter(record(404))
    assert said.written == [f"{5000 - MOST_REFUSALS} more requests were refused (4xx) in the minute before"]


def test_a_record_of_another_form_is_let_through() -> None:
    failures = Failures(lambda: 0.0)
    for args in ((), ("a", "b"), ("a", "GET", "/", "1.1", "200")):
        assert failures.filter(logging.LogRecord(ACCESS, logging.INFO, "", 0, "words", args, None))


def test_two_of_them_count_once(lines: Lines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings(tmp_path, monkeypatch)
    FailuresOnly(app)
    FailuresOnly(app)
    assert len(logging.getLogger(ACCESS).filters) == 1
    assert lines.written == []
