"""What is said while the server starts, read from its own log. The lines are those of vLLM 0.32."""

import json
from pathlib import Path

import pytest

from components.vllm.scripts.wait_ready import NotReadyError, check_offload, has_ended, stage, was_restarted

LOG = [
    ("", "importing packages"),
    ("(APIServer pid=1) INFO 11-23 [utils.py:293] vLLM server version 0.32.0", "reading the settings"),
    ("(APIServer pid=1) INFO 11-23 [model.py:529] Resolved architecture: LlamaForCausalLM", "starting the engine"),
    ("(EngineCore pid=2) INFO 11-23 [cpu_model_runner.py:62] Starting to load model meta-llama", "loading the weights"),
    ("(EngineCore pid=2) INFO 11-23 Model loading took 15.0 GiB memory and 9.81 seconds", "weights loaded"),
    ("(EngineCore pid=2) INFO 11-23 Dynamo bytecode transform time: 5.2 s", "compiling"),
    ("(EngineCore pid=2) INFO 11-23 Available KV cache memory: 71.62 GiB", "warming up"),
    ("(EngineCore pid=2) INFO 11-23 Graph capturing finished in 7 secs, took 0.98 GiB", "capturing graphs"),
    (
        "(EngineCore pid=2) INFO 11-23 init engine (profile, create kv cache, warmup model) took 36 s",
        "starting the API",
    ),
    ("(APIServer pid=1) INFO:     Application startup complete.", "asking for the first token"),
]


@pytest.mark.parametrize("lines", range(1, len(LOG) + 1))
def test_the_stage_follows_the_log(lines: int, tmp_path: Path) -> None:
    log = tmp_path / "vllm.log"
    log.write_text("\n".join(text for text, _ in LOG[:lines]))
    assert stage(log) == LOG[lines - 1][1]


def test_before_there_is_a_log_the_server_imports(tmp_path: Path) -> None:
    assert stage(tmp_path / "missing.log") == "importing packages"


@pytest.mark.parametrize(
    ("state", "ended"),
    [
        ({"ActiveState": "active", "SubState": "running", "NRestarts": "0"}, False),
        ({"ActiveState": "active"}, False),
        ({"ActiveState": "activating", "SubState": "start", "NRestarts": "0"}, False),
        ({"ActiveState": "activating", "SubState": "auto-restart", "NRestarts": "0"}, True),
        ({"ActiveState": "activating", "SubState": "auto-restart-queued", "NRestarts": "0"}, True),
        ({"ActiveState": "active", "SubState": "running", "NRestarts": "1"}, True),
        ({"ActiveState": "failed", "SubState": "failed", "NRestarts": "5"}, True),
        ({"ActiveState": "inactive"}, True),
        ({}, True),
    ],
)
def test_a_server_that_failed_is_not_waited_for_though_systemd_would_start_it_again(
    state: dict[str, str], ended: bool
) -> None:
    assert has_ended(state) is ended


def test_the_log_before_tells_why_when_the_server_was_started_again() -> None:
    assert was_restarted({"NRestarts": "1"})
    assert not was_restarted({"NRestarts": "0"})
    assert not was_restarted({})


def files(folder: Path, offload: float | None, log: str) -> tuple[str, str]:
    settings, log_file = folder / "vllm.yaml", folder / "vllm.log"
    settings.write_text(json.dumps({"model": "a/b", **({} if offload is None else {"cpu-offload-gb": offload})}))
    log_file.write_text(log)
    return str(settings), str(log_file)


def test_offload_that_was_asked_for_and_is_not_in_the_log_is_no_success(tmp_path: Path) -> None:
    settings, log = files(tmp_path, 52.5, "Model loading took 131.4 GiB memory")
    with pytest.raises(NotReadyError, match=r"52\.5 GiB of weights .* set cpuOffloadGb to 0"):
        check_offload(settings, "cuda", log)


def test_offload_of_nothing_is_no_offload(tmp_path: Path) -> None:
    settings, log = files(tmp_path, 52.5, "Total CPU offloaded parameters: 0.00")
    with pytest.raises(NotReadyError):
        check_offload(settings, "cuda", log)


def test_offload_that_took_effect_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings, log = files(tmp_path, 52, "INFO [uva.py:90] Total CPU offloaded parameters: 52.16")
    check_offload(settings, "cuda", log)
    assert capsys.readouterr().out == "52.16 GiB of the weights are in the machine's memory\n"


@pytest.mark.parametrize(("offload", "accelerator"), [(None, "cuda"), (0, "cuda"), (52, "cpu")])
def test_where_nothing_was_to_be_offloaded_the_log_is_not_asked(
    tmp_path: Path, offload: float | None, accelerator: str
) -> None:
    settings, log = files(tmp_path, offload, "")
    check_offload(settings, accelerator, log)
