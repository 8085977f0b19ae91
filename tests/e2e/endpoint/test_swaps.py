"""Another model or other flags on a machine that serves, with real vLLM. Tests run from top to bottom."""

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import openai
import psutil
import pytest

from tests.e2e.conftest import FLAGS, MODEL, Served
from tests.support.models.vllm_cases import YARN
from tests.support.polling import until

pytestmark = pytest.mark.timeout(1500)

OTHER_MODEL = "meta-llama/Llama-3.1-70B-Instruct"
LONG = 450
"""Tokens, for which the small model needs seconds."""
PATIENCE_S = 900.0
# The parser and the model's configuration have nothing against it; the engine has.
FAILS_AT_LOAD = {**FLAGS, "worker-cls": "no.such.Worker"}


def current(served: Served) -> str:
    """The model that the service was last told to serve; it loads or serves it."""
    config = json.loads((served.home() / ".config/lambda-vllm/current/vllm.yaml").read_text())
    return str(config["served-model-name"][0])


def long_answer(client: openai.OpenAI, model: str, first_piece: Callable[[], None]) -> str:
    """How a long answer that comes piece by piece ended: whole, cut, or refused before it began."""
    begun, reason = False, None
    try:
        pieces = client.completions.create(
            model=model, prompt="Hello", max_tokens=LONG, stream=True, extra_body={"ignore_eos": True}
        )
        for piece in pieces:
            begun, reason = True, piece.choices[0].finish_reason
            first_piece()
    except (openai.OpenAIError, httpx.HTTPError):
        return "cut" if begun else "refused"
    return "whole" if reason == "length" else "cut"


def says(served: Served, words: str) -> bool:
    """Whether a swap has said so; every swap of this file is to other settings."""
    told = (served.home() / ".local/share/lambda-vllm").glob("jobs/swap-*/progress")
    return any(words in file.read_text() for file in told)


@contextmanager
def frozen(engines: list[psutil.Process]) -> Iterator[None]:
    """The engine and its workers compute nothing."""
    processes = [one for engine in engines for one in (engine, *engine.children(recursive=True))]
    assert processes
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            process.resume()


@pytest.mark.long
def test_an_engine_that_is_killed_comes_back_without_pulumi(served: Served) -> None:
    before = served.servers()
    (engine,) = served.engines()
    os.kill(engine.pid, signal.SIGKILL)
    until(lambda: served.servers() and not served.servers() & before, 120)
    last = (served.home() / ".local/share/lambda-vllm/logs/failed.log").read_text().rstrip().rpartition("\n")[2]
    assert last.startswith("error: the model server failed: the engine's process ended without a word while: serving: ")
    assert "not killed by the kernel for want of memory" in last
    until(lambda: served.answers(MODEL), 300)


def test_what_vllm_finds_wrong_beforehand_is_told_while_the_old_model_serves_on(served: Served) -> None:
    before = served.servers()
    # The preview knows nothing against it; the build for CPUs comes without the library that such a model needs.
    served.project.configure(
        vllmArgs={**FLAGS, "hf-overrides": '{"architectures": ["Qwen2VLForConditionalGeneration"]}'}
    )
    failed = served.project.up(succeeds=False)
    assert "['Qwen2VLForConditionalGeneration']" in failed.output
    assert f"{MODEL} is served as before, nothing was stopped" in failed.output
    assert served.servers() == before


def test_a_chat_template_that_does_not_parse_is_told_while_the_model_serves_on_without_it(served: Served) -> None:
    """Without a look at it, vLLM would serve and refuse every chat."""
    before = served.servers()
    (served.project.folder / "mine.jinja").write_text("{% for message in messages %}{{ message.content }}")
    served.project.configure(vllmArgs={**FLAGS, "chat-template": "mine.jinja"})
    failed = served.project.up(succeeds=False)
    assert "the chat template does not parse: " in failed.output
    assert "Unexpected end of template" in failed.output
    assert f"{MODEL} is served as before, nothing was stopped" in failed.output
    assert served.servers() == before


@pytest.mark.long
def test_chats_go_through_the_template_that_lies_beside_the_program(served: Served) -> None:
    served.project.configure(vllmArgs={**FLAGS, "chat-template": "mine.jinja"})
    (served.project.folder / "mine.jinja").write_text("{{ raise_exception('this is the template of mine') }}")
    served.project.up()
    messages: list[openai.types.chat.ChatCompletionMessageParam] = [{"role": "user", "content": "Hello"}]
    with pytest.raises(openai.APIStatusError, match="this is the template of mine"):
        served.client().chat.completions.create(model=MODEL, messages=messages, max_tokens=1)
    served.project.configure(vllmArgs=FLAGS)
    served.project.up()
    assert served.client().chat.completions.create(model=MODEL, messages=messages, max_tokens=1).choices


@pytest.mark.long
def test_another_model_that_fails_while_it_loads_leaves_the_old_one_serving(served: Served) -> None:
    served.project.configure(model=OTHER_MODEL, vllmArgs=FAILS_AT_LOAD)
    failed = served.project.up(succeeds=False)
    assert f"{MODEL} is served again as before after " in failed.output
    assert "No module named 'no'" in failed.output
    assert served.outputs["model"] == MODEL
    assert served.answers(MODEL)


def test_the_next_up_with_the_old_settings_does_not_touch_the_server(served: Served) -> None:
    before = served.servers()
    served.project.configure(model=None, vllmArgs=FLAGS)
    served.project.up()
    assert served.servers() == before
    assert served.answers(served.outputs["model"])
    served.project.pulumi("preview", "--expect-no-changes")


@pytest.mark.long
def test_after_an_up_killed_in_mid_swap_the_old_settings_bring_the_old_model_back(served: Served) -> None:
    served.project.configure(model=OTHER_MODEL)
    served.project.kill_up_when(lambda: current(served) == OTHER_MODEL)
    served.project.configure(model=None)
    served.project.up()
    assert served.outputs["model"] == MODEL
    assert served.answers(MODEL)
    served.project.pulumi("preview", "--expect-no-changes")


@pytest.mark.long
def test_after_an_up_killed_in_mid_swap_the_same_settings_go_on(served: Served) -> None:
    served.project.configure(model=OTHER_MODEL)
    served.project.kill_up_when(lambda: current(served) == OTHER_MODEL)
    served.project.up()
    assert served.outputs["model"] == OTHER_MODEL
    # The swap went on by itself, and may have ended before this `up` could follow it.
    starts = (served.home() / ".local/share/lambda-vllm/timeline.jsonl").read_text().splitlines()
    assert json.loads(starts[-1])["outage"] > 0
    assert served.answers(OTHER_MODEL)
    assert not served.answers(MODEL)


def test_another_model_is_served_by_the_same_machine_and_an_answer_that_is_under_way_is_given_to_its_end(
    served: Served,
) -> None:
    before, old_model = served.servers(), served.outputs["model"]
    # The answer is held up for as long as the check of the settings takes.
    client, machine = served.client().with_options(timeout=PATIENCE_S), served.outputs["instance_id"]
    ends: list[str] = []

    def keep_asking() -> None:
        until(lambda: says(served, f"checking the settings for {OTHER_MODEL}"), PATIENCE_S)
        while "refused" not in ends:
            ends.append(long_answer(client, old_model, begun.set))

    def stop_in_the_middle() -> None:
        begun.wait(PATIENCE_S)
        # In the middle of the answer, and without the cores that the check needs.
        with frozen(served.engines()):
            until(lambda: says(served, f"stopping {old_model}"), PATIENCE_S)

    served.project.configure(model=OTHER_MODEL, maxModelLen=1024)
    served.cloud.forget_requests()
    begun = threading.Event()
    with ThreadPoolExecutor() as beside:
        asking, stopping = beside.submit(keep_asking), beside.submit(stop_in_the_middle)
        served.project.up()
        stopping.result()
        asking.result()
    assert not served.servers() & before
    assert ends[0] == "whole"
    assert "cut" not in ends
    assert (served.outputs["instance_id"], served.cloud.writes()) == (machine, [])
    (model,) = served.client().models.list().data
    assert (model.id, model.model_dump()["max_model_len"]) == (OTHER_MODEL, 1024)
    assert served.answers(OTHER_MODEL)
    served.project.pulumi("preview", "--expect-no-changes")


@pytest.mark.long
def test_the_server_has_the_context_that_the_preview_chooses_for_a_stretched_one(served: Served) -> None:
    """Of one for short and one for long texts (longrope)."""
    served.project.configure(model="microsoft/Phi-4-mini-instruct", maxModelLen="auto")
    assert "context 4,096 (maxModelLen may be up" in served.project.pulumi("preview").output
    served.project.up()
    (model,) = served.client().models.list().data
    assert model.model_dump()["max_model_len"] == 4096


@pytest.mark.long
def test_the_server_has_the_context_that_the_preview_says_of_a_stretched_one(served: Served) -> None:
    stretched = {"rope_parameters": YARN, "max_position_embeddings": 131072}
    settings = {"model": "Qwen/Qwen2.5-7B-Instruct", "maxModelLen": 40000}
    served.project.configure(**settings, vllmArgs={**FLAGS, "hf-overrides": stretched})
    assert "context 40,000;" in served.project.pulumi("preview").output
    served.project.up()
    (model,) = served.client().models.list().data
    assert (model.id, model.model_dump()["max_model_len"]) == (settings["model"], 40000)
    assert served.answers(str(settings["model"]))
    served.project.configure(model=None, maxModelLen=512, vllmArgs=FLAGS)
