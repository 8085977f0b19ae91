"""What our tables, lists and verdicts say of vLLM is what the vLLM says that was installed."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from components.vllm.release.flags import FLAGS, checked_flags
from components.vllm.release.lists import CPU_TARGET, generated
from components.vllm.release.quantisation import cache_dtype_of, method_of
from components.vllm.release.service.marks import PHASES
from scripts.quantisation import of_the_source
from scripts.release_source import ReleaseSource
from tests.e2e.conftest import Served
from tests.support.models.quantised import REFUSED, RUNS_ON
from tests.support.models.vllm_cases import ANSWERS, cases
from tests.support.pulumi_cli import REPOSITORY

pytestmark = pytest.mark.timeout(1200)

ASK = REPOSITORY / "tests/support/ask_vllm.py"
SIZES = str(REPOSITORY / "scripts/vllm_says.py")
QUANTISATION = str(REPOSITORY / "tests/support/quantisation_by_vllm.py")
PARSER = str(REPOSITORY / "tests/support/parsed_by_vllm.py")
SAMPLES: dict[str, Any] = {
    "int": 3, "number": 0.5, "text": "some text", "json": {}, "text-or-json": {"a": [1]}, "size": "2k",
    "switch": False, "lora": {"name": "a", "path": "/b"}, "text-or-switch": "x",
}  # fmt: skip
MEANT: list[tuple[dict[str, Any], dict[str, str]]] = [
    ({"seed": -1, "enforce-eager": True, "chat-template": "a b\n{{ c }}"},
     {"seed": "-1", "enforce-eager": "True", "chat-template": "a b\n{{ c }}"}),
    ({"enable-prefix-caching": False}, {"enable-prefix-caching": "False"}),
    ({"allowed-origins": ["*"]}, {"allowed-origins": "['*']"}),
    ({"cudagraph-capture-sizes": [1, 2]}, {"cudagraph-capture-sizes": "[1, 2]"}),
    ({"hf-overrides.rope_parameters.theta": 5.0}, {"hf-overrides": "{'rope_parameters': {'theta': 5.0}}"}),
    ({"default-chat-template-kwargs.thinking": False, "seed": 4},
     {"default-chat-template-kwargs": "{'thinking': False}", "seed": "4"}),
    ({"kv-offloading-size": None}, {"kv-offloading-size": "None"}),
    ({"max-num-batched-tokens": "2k"}, {"max-num-batched-tokens": "2000"}),
]  # fmt: skip
"""Flags, and as what they arrive."""


@pytest.fixture(scope="module")
def venv(served: Served) -> Path:
    """Where the machine has its vLLM."""
    return served.home() / ".local/share/lambda-vllm/venv"


@pytest.fixture(scope="module")
def packages(venv: Path) -> Path:
    """Where its source lies."""
    (folder,) = venv.glob("lib/python3.*/site-packages")
    return folder


# The build for CPUs comes without the library that models need to see.
MODELS = {name: {**case, "checkpoint": False} for name, case in cases().items() if "vision" not in str(case)}
QUANTISED = {name: section for name, (section, _) in RUNS_ON.items()} | {told: section for section, told in REFUSED}


def _sample(entry: Any) -> Any:
    value = entry.get("choices", [SAMPLES[entry["takes"]]])[0]
    return [value, value] if entry.get("list") else value


def _given() -> Iterator[dict[str, Any]]:
    """Every flag that users may set, with each kind of value."""
    open_to_users = {name: entry for name, entry in FLAGS.items() if not name.startswith("ssl-")}
    for name, entry in open_to_users.items():
        yield {name: _sample(entry)}
        if entry["takes"] == "switch":
            yield {name: True}
        if entry.get("optional") and not entry.get("list"):
            yield {name: None}


GIVEN = list(_given())


@pytest.fixture(scope="module")
def answers(venv: Path) -> dict[str, Any]:
    """All that vLLM is asked here."""
    files = [checked_flags(flags, None, {}, set()) for flags in [*GIVEN, *(flags for flags, _ in MEANT)]]
    asked = json.dumps({PARSER: files, QUANTISATION: QUANTISED, SIZES: MODELS})
    command = [str(venv / "bin/python"), str(ASK)]
    done = subprocess.run(command, input=asked, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_what_the_tables_say_of_vllm_is_what_the_installed_one_says(answers: dict[str, Any]) -> None:
    said = answers[SIZES]
    recorded = json.loads(ANSWERS.read_text())
    for name in MODELS:
        assert _numbers(said[name]) == _numbers(recorded[name]), name


def _numbers(answer: dict[str, Any]) -> dict[str, Any]:
    """Without what the build for CPUs says in words, such as the paths of its files."""
    words = {"refused", "not_laid_out"}
    return {key: key if key in words else value for key, value in answer.items() if key != "checkpoint"}


def test_our_list_of_quantised_weights_says_what_the_installed_source_says(packages: Path) -> None:
    found = json.loads(json.dumps(of_the_source(ReleaseSource(packages))))
    listed = generated("quantisation", CPU_TARGET)
    assert found == {key: listed[key] for key in found}


def test_vllm_itself_gives_our_verdict_on_every_kind_of_quantised_weights_and_gpu(answers: dict[str, Any]) -> None:
    answer = answers[QUANTISATION]
    assert [told for _, told in REFUSED if answer[told][1]] == []
    for name, (section, runs_on) in RUNS_ON.items():
        method, capabilities, cache = answer[name]
        assert cache.removesuffix("_e4m3") == cache_dtype_of({"quantization_config": section}), name
        # On a CPU vLLM leaves AWQ its old name, and what only the compiled kernels refuse it does not know.
        assert {"awq": "auto_awq"}.get(method, method) == method_of({"quantization_config": section}), name
        assert set(runs_on) <= set(capabilities) <= set(runs_on) | ({100} if "int8" in name else set()), name


def test_a_value_for_every_flag_of_the_release_gets_through_the_file_to_vllms_own_parser(
    answers: dict[str, Any],
) -> None:
    parsed = answers[PARSER]
    given = [*GIVEN, *(flags for flags, _ in MEANT)]
    assert not [(flags, said) for flags, said in zip(given, parsed, strict=True) if isinstance(said, str)]
    assert parsed[len(GIVEN) :] == [arrived for _, arrived in MEANT]


def test_every_mark_of_a_stage_is_a_line_of_the_vllm_that_is_installed(packages: Path) -> None:
    for mark in (mark for phase in PHASES for mark in phase):
        assert mark.text in (packages / mark.module).read_text(), mark
