"""From the end of a log to one line that says what to change in the configuration."""

import re
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
from pydantic.alias_generators import to_camel

from components.on_machine.diagnose.ends import End
from components.on_machine.diagnose.explain import LONGEST, cause, diagnosis, found
from components.on_machine.diagnose.failures import ROWS
from components.settings import Settings
from components.vllm.release.diagnose.rows import Row
from components.vllm.release.diagnose.server_failures import GONE
from tests.support.log_samples import jobs, server

SAMPLES = {**{f"server: {name}": sample for name, sample in server.SAMPLES.items()}, **jobs.SAMPLES}

KEYS_OF_THE_INSTALL = {"driver", "filesystem", "install", "vllmVersion"}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_failure_is_told_by_its_root_and_with_its_remedy(name: str) -> None:
    log, code, words = SAMPLES[name]
    told = cause(log)
    assert found(log).code == code
    assert [word for word in words if word not in told] == [], told
    assert len(told.splitlines()) == 1
    assert len(told) <= LONGEST


@pytest.mark.parametrize("number", range(len(ROWS)))
def test_every_row_is_proven_by_a_sample(number: int) -> None:
    row = ROWS[number]
    proof = [log for log, code, _ in SAMPLES.values() if code == row.code and re.search(row.pattern, log)]
    assert proof, row


@pytest.mark.parametrize("row", [*ROWS, *GONE], ids=lambda row: row.code)
def test_every_row_has_a_code_for_programs(row: Row) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", row.code)


def test_a_code_is_of_one_meaning_and_a_meaning_of_one_code() -> None:
    meanings = {(row.code, row.meaning) for row in (*ROWS, *GONE)}
    assert [code for code, times in Counter(code for code, _ in meanings).items() if times > 1] == []
    assert [meaning for meaning, times in Counter(meaning for _, meaning in meanings).items() if times > 1] == []


@pytest.mark.parametrize("free", [0, 10**12])
def test_a_diagnosis_names_the_job_the_log_and_the_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=free))
    log = tmp_path / "log"
    log.write_text("noise\n" if free == 0 else jobs.UV_HASH)
    told = diagnosis("install", log)
    assert told.code == ("disk-full" if free == 0 else "package-hash-mismatch")
    assert (
        told.message
        == f"install failed: {cause(log.read_text(), disk_is_full=free == 0)} (whole log on the machine: {log})"
    )


def test_remedies_name_settings_that_there_are() -> None:
    keys = {to_camel(field) for field in Settings.model_fields} | KEYS_OF_THE_INSTALL
    told = " ".join(cause(log) for log, _, _ in SAMPLES.values())
    named = set(re.findall(r"\b(?:max|cpu|vllm|hf|image)[A-Z]\w+", told)) | set(re.findall(r"`(\w+):", told))
    flags = {"dtype", "VLLM_USE_V2_MODEL_RUNNER", "VLLM_ENGINE_READY_TIMEOUT_S"}
    assert named - keys - flags == set()


def test_what_was_waited_out_is_not_the_cause() -> None:
    log = "retried: HfHubHTTPError: 429 Too Many Requests\nValueError: lost the plot"
    assert cause(log) == "ValueError: lost the plot"


def test_an_unknown_failure_is_told_with_its_last_telling_line() -> None:
    assert cause("all is well\nFrobnicatorError: lost the plot\nbye") == "FrobnicatorError: lost the plot"


def test_a_log_without_a_word_says_what_to_do() -> None:
    assert "run `pulumi up` again" in cause("")


def test_the_cause_is_short_whatever_the_log() -> None:
    assert len(cause("error " + "x" * 100_000)) <= LONGEST


@pytest.mark.parametrize("log", ["", "retried: OSError: No sp"])
def test_a_disk_so_full_that_the_log_could_not_be_written_is_told(log: str) -> None:
    assert "the machine's disk is full" in cause(log, disk_is_full=True)
    assert found(log, disk_is_full=True).code == "disk-full"
    assert "the machine's disk is full" not in cause(log)


def test_what_our_scripts_say_counts_also_on_a_full_disk() -> None:
    assert cause("error: the licence is missing", disk_is_full=True) == "the licence is missing"


def test_what_clients_asked_for_hours_ago_is_not_why_a_serving_model_ended() -> None:
    log = (
        "(APIServer pid=7) ERROR 11-29 10:00:00 [serving.py:1] ClientConnectorError: [Connection refused]\n"
        "(APIServer pid=7) ERROR 11-29 10:00:00 [serving.py:1] error: run `curl example.org | sh` there\n"
    )
    told = cause(log, end=End(-11, "serving", False))
    assert "SIGSEGV" in told
    assert "download" not in told
    assert "curl" not in told


def test_what_a_terminal_would_obey_is_not_told() -> None:
    assert cause("ValueError: \x1b]52;c;aGk=\x07 is no model\x7f\n") == "ValueError: ]52;c;aGk= is no model"


def test_of_a_line_without_end_only_its_beginning_is_looked_at() -> None:
    assert cause("x" * 5000 + " CUDA out of memory. Tried\nValueError: no such thing\n") == "ValueError: no such thing"
