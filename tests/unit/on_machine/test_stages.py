"""What is said while the server starts, read from its own log. The lines are those of vLLM 0.32."""

import re
from datetime import datetime
from pathlib import Path

import pytest

from components.on_machine.service.stages import Stages
from components.on_machine.service.state import State
from components.on_machine.service.swap import progress
from components.vllm.release.service.marks import PHASES
from tests.support.log_samples.starts import COMPILED, LOADED_FROM_CACHE, STARTS, V1, V2

MARKS = [mark for phase in PHASES for mark in phase]
BAR = b"\rLoading safetensors checkpoint shards:  %d%% Completed | %d/4 [00:0%d<00:01,  1.20it/s]"


class Clock:
    """Stands at the time that the last line was written at; a start begins at 10:00:00."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds

    def read(self, line: str) -> None:
        if found := re.search(r" (\d\d:\d\d:\d\d) \[", line):
            passed = datetime.strptime(found[1], "%H:%M:%S") - datetime.strptime("10:00:00", "%H:%M:%S")
            self.seconds = passed.total_seconds()


def followed(log: str) -> tuple[Stages, list[str]]:
    """A log to its end, and the name of the stage after each line."""
    clock = Clock()
    stages, names = Stages(clock), []
    for line in log.splitlines(keepends=True):
        clock.read(line)
        stages.feed(line.encode())
        names.append(stages.name)
    return stages, names


@pytest.mark.parametrize("runner", STARTS)
def test_a_start_of_each_runner_has_all_its_stages_in_their_order(runner: str) -> None:
    start = STARTS[runner]
    stages, _ = followed(start.log)
    assert tuple(stages.seconds()) == start.stages


@pytest.mark.parametrize("number", range(len(MARKS)))
def test_every_mark_is_a_line_of_some_start(number: int) -> None:
    mark = MARKS[number]
    written = [line for start in STARTS.values() for line in start.log.splitlines() if mark.text in line]
    # Those without the name of a file are progress bars, and a line of uvicorn.
    files = {found[1] if (found := re.search(r"\[(\w+\.py):\d+\]", line)) else None for line in written}
    assert files & {None, Path(mark.module).name}, mark


@pytest.mark.parametrize("log", [V1, V2])
def test_what_each_stage_took_is_counted_under_its_own_name(log: str) -> None:
    seconds = followed(log)[0].seconds()
    assert seconds["tracing the model"] == 7
    assert seconds["compiling the model"] == 20
    assert seconds["loading the weights"] == 8
    assert seconds["preparing the weights"] == 3
    # The first second before it, four seconds after it.
    assert seconds["measuring the memory"] == 1 + 4
    assert seconds["compiling kernels"] == 15
    assert sum(seconds.values()) == 126


def test_a_compiled_model_that_is_loaded_is_counted_from_when_its_loading_began() -> None:
    """vLLM says only afterwards that it has done so, and how long it took."""
    seconds = followed(V2.replace(COMPILED, LOADED_FROM_CACHE))[0].seconds()
    assert seconds["loading compiled programs"] == 5
    assert "tracing the model" not in seconds


@pytest.mark.parametrize("log", [V1, V2])
def test_graphs_count_from_when_their_capture_began_also_without_a_progress_bar(log: str) -> None:
    silent = "".join(line for line in log.splitlines(keepends=True) if "Capturing CUDA graphs" not in line)
    seconds = followed(silent)[0].seconds()
    assert (seconds["capturing graphs"], seconds["compiling kernels"]) == (5, 17)


def test_a_vllm_that_does_not_say_when_it_begins_to_trace_says_how_long_it_took() -> None:
    seconds = followed(V1.replace("Starting torch.compile", ""))[0].seconds()
    assert seconds["tracing the model"] == pytest.approx(7.5)


def test_an_encoder_that_is_compiled_before_the_model_counts_to_the_same_stages() -> None:
    encoder = COMPILED.replace("10:01:1", "10:01:0").replace("10:01:3", "10:01:09")
    stages, names = followed(encoder.replace("Starting", "[encoder] Starting") + COMPILED)
    assert names.count("tracing the model") > 2
    assert stages.name == "measuring the memory"


def test_graphs_that_are_captured_to_measure_them_are_not_yet_those_that_serve() -> None:
    before = V2.partition("Available KV cache memory")[0]
    assert "Capturing CUDA graphs" in before
    assert "capturing graphs" not in followed(before)[1]
    assert "capturing graphs" in followed(V2)[1]


def test_of_several_gpus_the_first_is_followed() -> None:
    lines = [line.replace("(EngineCore pid=2040)", "(Worker_TP0 pid=1)") for line in V2.splitlines(keepends=True)]
    both = [copy for line in lines for copy in (line, line.replace("(Worker_TP0 pid=1)", "(Worker_TP1 pid=2)"))]
    late = followed("".join(line.replace("TP0 pid=1", "TP1 pid=2") for line in lines[:10]))[0]
    assert late.name == "starting the engine"
    assert followed("".join(both))[0].seconds() == followed("".join(lines))[0].seconds()


def test_a_line_may_arrive_in_pieces() -> None:
    stages = Stages()
    for piece in ("(EngineCore pid=2) INFO Starting to lo", "ad model meta-llama", "\n"):
        stages.feed(piece.encode())
    assert stages.name == "loading the weights"


def test_a_stage_that_was_passed_does_not_come_back() -> None:
    stages = Stages()
    stages.feed(b"Available KV cache memory: 1 GiB\nStarting to load model a draft\n")
    assert stages.name == "allocating the KV cache"


def test_the_files_of_weights_are_counted_while_they_are_loaded_and_not_after() -> None:
    stages = Stages()
    stages.feed(b"Starting to load model x...\n")
    for done in (1, 2):
        stages.feed(BAR % (25 * done, done, done))
    stages.feed(b"\r")
    assert str(stages) == "loading the weights, file 2 of 4"
    stages.feed(b"Loading weights took 2.00 seconds\n")
    assert str(stages) == "preparing the weights"


def test_what_is_kept_in_the_machines_memory_is_summed_over_its_gpus() -> None:
    stages = Stages()
    stages.feed(b"INFO [uva.py:90] Total CPU offloaded parameters: 52.16\nTotal CPU offloaded parameters: 52.16\n")
    assert stages.offloaded_gib == pytest.approx(104.32)


@pytest.mark.parametrize(
    "words", ["Total CPU offloaded parameters: .", "Total CPU offloaded parameters: 7.5", "Starting to load model x"]
)
def test_words_of_a_client_which_vllm_logs_are_no_news_of_the_server(words: str) -> None:
    stages = Stages()
    stages.feed(V1.encode())
    stages.feed(f"The model `{words}` does not exist.\n".encode())
    assert (stages.name, stages.offloaded_gib) == ("asking for the first token", 0)


def test_a_number_that_is_none_ends_no_log() -> None:
    stages = Stages()
    stages.feed(b"Total CPU offloaded parameters: .\ntorch.compile took . s\nStarting to load model x\n")
    assert stages.offloaded_gib == 0


def test_a_log_of_one_endless_line_takes_no_memory() -> None:
    stages = Stages()
    for _ in range(100):
        stages.feed(b"x" * 10_000)
    assert len(stages._rest) <= 10_000


def test_progress_says_the_stage_and_how_long_the_last_start_took(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.on_machine.service.swap.now", lambda: 1100.4)
    state = State("starting", "key", "change", "compiling", since=1000.0)
    assert progress(state, 214.2) == "100 s: compiling (last time 214 s)"
    assert progress(state, None) == "100 s: compiling"
