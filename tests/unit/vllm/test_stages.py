"""What is said while the server starts, read from its own log. The lines are those of vLLM 0.32."""

import pytest

from components.vllm.scripts.service_state import State
from components.vllm.scripts.stages import Stages
from components.vllm.scripts.swap import progress

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
BAR = b"\rLoading safetensors checkpoint shards:  %d%% Completed | %d/4 [00:0%d<00:01,  1.20it/s]"


@pytest.mark.parametrize("lines", range(1, len(LOG) + 1))
def test_the_stage_follows_the_log(lines: int) -> None:
    stages = Stages()
    for text, _ in LOG[:lines]:
        stages.feed(f"{text}\n".encode())
    assert str(stages) == LOG[lines - 1][1]


def test_a_line_may_arrive_in_pieces() -> None:
    stages = Stages()
    for piece in ("(EngineCore pid=2) INFO Starting to lo", "ad model meta-llama", "\n"):
        stages.feed(piece.encode())
    assert stages.name == "loading the weights"


def test_a_stage_that_was_passed_does_not_come_back() -> None:
    stages = Stages()
    stages.feed(b"Available KV cache memory: 1 GiB\nStarting to load model a draft\n")
    assert stages.name == "warming up"


def test_the_files_of_weights_are_counted_while_they_are_loaded_and_not_after() -> None:
    stages = Stages()
    stages.feed(b"Starting to load model\n")
    for done in (1, 2):
        stages.feed(BAR % (25 * done, done, done))
    stages.feed(b"\r")
    assert str(stages) == "loading the weights, 2 of 4 files"
    stages.feed(b"Model loading took 1 GiB\n")
    assert str(stages) == "weights loaded"


def test_every_stage_has_its_seconds() -> None:
    stages = Stages()
    stages.feed(b"vLLM server version 0.32.0\nStarting to load model\n")
    assert list(stages.seconds()) == ["importing packages", "reading the settings", "loading the weights"]
    assert all(seconds >= 0 for seconds in stages.seconds().values())


def test_what_is_kept_in_the_machines_memory_is_summed_over_its_gpus() -> None:
    stages = Stages()
    stages.feed(b"INFO [uva.py:90] Total CPU offloaded parameters: 52.16\nTotal CPU offloaded parameters: 52.16\n")
    assert stages.offloaded_gib == pytest.approx(104.32)


@pytest.mark.parametrize(
    "words", ["Total CPU offloaded parameters: .", "Total CPU offloaded parameters: 7.5", "Starting to load model x"]
)
def test_words_of_a_client_which_vllm_logs_are_no_news_of_the_server(words: str) -> None:
    stages = Stages()
    for text, _ in LOG:
        stages.feed(f"{text}\n".encode())
    stages.feed(f"The model `{words}` does not exist.\n".encode())
    assert (stages.name, stages.offloaded_gib) == ("asking for the first token", 0)


def test_a_number_that_is_none_ends_no_log() -> None:
    stages = Stages()
    stages.feed(b"Total CPU offloaded parameters: .\nStarting to load model x\n")
    assert (stages.name, stages.offloaded_gib) == ("loading the weights", 0)


def test_a_log_of_one_endless_line_takes_no_memory() -> None:
    stages = Stages()
    for _ in range(100):
        stages.feed(b"x" * 10_000)
    assert len(stages._rest) <= 10_000


def test_progress_says_the_stage_and_how_long_the_last_start_took(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.vllm.scripts.swap.now", lambda: 1100.4)
    state = State("starting", "key", "change", "compiling", since=1000.0)
    assert progress(state, 214.2) == "100 s: compiling (last time 214 s)"
    assert progress(state, None) == "100 s: compiling"
