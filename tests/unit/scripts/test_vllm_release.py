"""What a person is told of another release of vLLM."""

import ast
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from components.vllm.release.diagnose.rows import Row
from components.vllm.release.service.marks import Mark
from scripts.release_source import ReleaseSource
from scripts.vllm_release.compare import Ours, differences, report
from scripts.vllm_release.paths import http_paths
from scripts.vllm_release.texts import key_of, names_wanted, plain_words, texts

OLD: dict[str, Any] = {
    "serve": {"vllm": "1", "flags": {"host": {"takes": "text"}, "dtype": {"takes": "text", "choices": ["a", "b"]}}},
    "release": {"variables": ["VLLM_A", "VLLM_OURS"], "chat_templates": ["x.jinja"]},
    "architectures": {"kinds": {"text": ["A"]}, "retired": {}, "plugins": {}},
    "model_types": {"model_types": ["a"]},
    "quantisation": {"vllm": "1", "methods": {"fp8": {"least": 75}}},
    "paths": {"paths": {"/v1/models": ["GET"], "/metrics": ["ANY"], "/old": ["POST"]}},
    "texts": {"marks": ["m.py: Starting"], "failures": ["too-long"], "names": ["vllm.a.b"]},
}
OURS = Ours(
    flags=frozenset({"host"}),
    removed={"swap": "it is gone"},
    variables=frozenset({"VLLM_OURS"}),
    paths={"/v1/models": "GET", "/metrics": "GET"},
    marks=frozenset({"m.py: Starting"}),
    names=frozenset({"vllm.a.b"}),
)


def told(change: Any) -> list[str]:
    new = deepcopy(OLD)
    change(new)
    return list(report(OLD, new, OURS))


def test_a_release_that_is_the_same_has_nothing_to_look_at() -> None:
    assert told(lambda new: new["quantisation"].update(vllm="2", transformers="5")) == []


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda new: new["serve"]["flags"].pop("host"), "! flag host is gone, and this program sets it"),
        (lambda new: new["serve"]["flags"].update(swap={}), "! flag swap is there again"),
        (lambda new: new["release"]["variables"].remove("VLLM_OURS"), "! variable VLLM_OURS is gone"),
        (lambda new: new["paths"]["paths"].update({"/v1/models": ["POST"]}), "! path GET /v1/models is gone"),
        (lambda new: new["paths"]["paths"].pop("/metrics"), "! path GET /metrics is gone"),
        (lambda new: new["texts"]["marks"].clear(), "! mark of a stage is not there any more: m.py: Starting"),
        (lambda new: new["texts"]["names"].clear(), "! vllm.a.b is gone, and on_machine/service/check_config.py"),
        (lambda new: new["serve"]["flags"].pop("dtype"), "? flag dtype is gone: flags/removed.json"),
        (lambda new: new["serve"]["flags"].update(door={}), "? flag door is new"),
        (lambda new: new["paths"]["paths"].update({"/v1/x": ["POST"]}), "? path POST /v1/x is new, and closed"),
        (lambda new: new["texts"]["failures"].clear(), "? failure too-long: the words"),
        (
            lambda new: new["quantisation"]["methods"]["fp8"].update(least=80),
            "? quantisation: methods.fp8.least: 75 -> 80",
        ),
        (lambda new: new["serve"]["flags"]["dtype"].update(choices=["b", "c"]), "  flag dtype: choices: -'a', +'c'"),
        (lambda new: new["paths"]["paths"].pop("/old"), "  path /old is gone"),
        (lambda new: new["architectures"]["kinds"]["text"].append("B"), "  architectures, text: 1 new: B"),
        (lambda new: new["model_types"]["model_types"].clear(), "  model types: 1 gone: a"),
        (lambda new: new["release"]["chat_templates"].append("y"), "  chat templates: 1 new: y"),
    ],
)
def test_what_is_other_has_a_line_that_says_how_much_it_matters(change: Any, line: str) -> None:
    assert any(one.startswith(line) for one in told(change)), told(change)


def test_an_order_alone_is_told_as_one() -> None:
    assert list(differences({"a": [1, 2]}, {"a": [2, 1]})) == ["a: in another order"]


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        (r"unrecognized arguments: (.{1,120})", ["unrecognized arguments:"]),
        (r"(?i)address already in use", ["address already in use"]),
        (r"heads \((\d+)\).* must be divisible by the size \((\d+)\)", ["must be divisible by the size ("]),
        (r"not supported for it|Quantization is wrong", ["not supported for it", "Quantization is wrong"]),
        (r"\(([\d.]+) GiB KV cache is needed", ["GiB KV cache is needed"]),
        (r"\d+", []),
    ],
)  # fmt: skip
def test_the_plain_words_of_a_pattern_are_those_that_a_source_has(pattern: str, words: list[str]) -> None:
    assert list(plain_words(pattern)) == words


def test_paths_are_found_with_their_methods_however_they_are_declared(tmp_path: Path) -> None:
    package = tmp_path / "vllm/entrypoints"
    package.mkdir(parents=True)
    (package / "routes.py").write_text(
        'router = APIRouter()\n@router.post(\n    "/v1/a",\n    responses={},\n)\ndef a(): ...\n'
        '@router.get("/v1/r/{response_id}")\ndef b(): ...\n'
        'abort_router.add_api_route("/c", c, methods=["POST", "GET"])\n'
        'routes.append(Mount("/metrics", app()))\nsession.get("/elsewhere")\nurl.startswith("/not")\n'
    )
    found = http_paths(ReleaseSource(tmp_path))
    assert found == {"/c": ["GET", "POST"], "/metrics": ["ANY"], "/v1/a": ["POST"], "/v1/r/{id}": ["GET"]}


def test_texts_of_ours_are_found_where_the_release_has_them_now(tmp_path: Path) -> None:
    (tmp_path / "vllm").mkdir()
    (tmp_path / "vllm/new.py").write_text(
        'log("Starting to load")\nraise E("No available memory "\n    "for the cache")\n'
    )
    (tmp_path / "transformers").mkdir()
    source = ReleaseSource(tmp_path)
    moved = Mark("Starting to load", "vllm/old.py", "loading", elsewhere="vllm/new.py")
    gone = Mark("Capturing", "vllm/new.py", "capturing")
    rows = [Row("no-memory", "No available memory for the cache", ""), Row("other", "Something else entirely", "")]
    found = texts(source, source, [moved, gone], rows)
    assert (found["marks"], found["failures"]) == ([key_of(moved)], ["no-memory"])
    assert found["names"] == []


def test_names_that_are_imported_are_those_of_vllm_and_transformers() -> None:
    check = ast.parse("import os\nfrom pathlib import Path\ndef f():\n    from vllm.a import b, c\n")
    assert names_wanted(check) == {"vllm.a": {"b", "c"}}
