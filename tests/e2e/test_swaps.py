"""Another model or other flags on a machine that serves, with real vLLM. Tests run from top to bottom, on one stack."""

import json
import os
import signal
import ssl
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import openai
import psutil
import pytest

from tests.e2e.conftest import FLAGS, MODEL, small_stack
from tests.support.local_cloud import LocalCloud
from tests.support.models.vllm_cases import ANSWERS, YARN, cases
from tests.support.polling import until
from tests.support.pulumi_cli import REPOSITORY
from tests.support.pulumi_project import Project

pytestmark = pytest.mark.timeout(1500)

OTHER_MODEL = "meta-llama/Llama-3.1-70B-Instruct"
LONG = 450
"""Tokens, for which the small model needs seconds."""
# The parser and the model's configuration have nothing against it; the engine has.
FAILS_AT_LOAD = {**FLAGS, "worker-cls": "no.such.Worker"}


@dataclass(frozen=True)
class Stack:
    """A stack that serves a model."""

    project: Project
    cloud: LocalCloud
    home: Path

    @property
    def outputs(self) -> dict[str, Any]:
        return self.project.outputs()

    def client(self) -> openai.OpenAI:
        """OpenAI's own client on the endpoint."""
        outputs = self.outputs
        trust = ssl.create_default_context(cadata=outputs["ca_certificate"])
        return openai.OpenAI(
            base_url=outputs["endpoint"],
            api_key=outputs["api_key"],
            max_retries=0,
            timeout=120,
            http_client=openai.DefaultHttpxClient(verify=trust),
        )

    def answers(self, model: str) -> bool:
        """True when the model gives a token to OpenAI's client."""
        try:
            return bool(self.client().completions.create(model=model, prompt="Hello", max_tokens=1).choices)
        except openai.OpenAIError:
            return False

    def servers(self) -> set[int]:
        """Process ids of the API server."""
        return {process.pid for process in self._processes() if "vllm serve" in _command(process)}

    def engines(self) -> list[psutil.Process]:
        """The processes that compute."""
        return [process for process in self._processes() if "EngineCore" in _command(process)]

    def current(self) -> str:
        """The model that the service was last told to serve; it loads or serves it."""
        config = json.loads((self.home / ".config/lambda-vllm/current/vllm.yaml").read_text())
        return str(config["served-model-name"][0])

    def _processes(self) -> list[psutil.Process]:
        home = str(self.home)
        return [p for p in psutil.process_iter(["environ"]) if (p.info["environ"] or {}).get("HOME") == home]


def long_answer(client: openai.OpenAI, model: str) -> str:
    """How a long answer that comes piece by piece ended: whole, cut, or refused before it began."""
    begun, reason = False, None
    try:
        pieces = client.completions.create(
            model=model, prompt="Hello", max_tokens=LONG, stream=True, extra_body={"ignore_eos": True}
        )
        for piece in pieces:
            begun, reason = True, piece.choices[0].finish_reason
    except (openai.OpenAIError, httpx.HTTPError):
        return "cut" if begun else "refused"
    return "whole" if reason == "length" else "cut"


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline()).replace("bin/vllm serve", "vllm serve")
    except psutil.NoSuchProcess:
        return ""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack; it serves `MODEL` at first."""
    folder = tmp_path_factory.mktemp("swaps")
    with small_stack(folder) as (made, cloud):
        made.up()
        yield Stack(made, cloud, cloud.home(made.outputs()["instance_id"]))


@pytest.mark.long
def test_an_engine_that_is_killed_comes_back_without_pulumi(stack: Stack) -> None:
    before = stack.servers()
    (engine,) = stack.engines()
    os.kill(engine.pid, signal.SIGKILL)
    until(lambda: stack.servers() and not stack.servers() & before, 120)
    last = (stack.home / ".local/share/lambda-vllm/logs/failed.log").read_text().rstrip().rpartition("\n")[2]
    assert last.startswith("error: the model server failed: the engine's process ended without a word while: serving: ")
    assert "not killed by the kernel for want of memory" in last
    until(lambda: stack.answers(MODEL), 300)


def test_what_vllm_finds_wrong_beforehand_is_told_while_the_old_model_serves_on(stack: Stack) -> None:
    before = stack.servers()
    # The preview knows nothing against it; the build for CPUs comes without the library that such a model needs.
    stack.project.configure(
        vllmArgs={**FLAGS, "hf-overrides": '{"architectures": ["Qwen2VLForConditionalGeneration"]}'}
    )
    failed = stack.project.up(succeeds=False)
    assert "['Qwen2VLForConditionalGeneration']" in failed.output
    assert f"{MODEL} is served as before, nothing was stopped" in failed.output
    assert stack.servers() == before


def test_a_chat_template_that_does_not_parse_is_told_while_the_model_serves_on_without_it(stack: Stack) -> None:
    """Without a look at it, vLLM would serve and refuse every chat."""
    before = stack.servers()
    (stack.project.folder / "mine.jinja").write_text("{% for message in messages %}{{ message.content }}")
    stack.project.configure(vllmArgs={**FLAGS, "chat-template": "mine.jinja"})
    failed = stack.project.up(succeeds=False)
    assert "the chat template does not parse: " in failed.output
    assert "Unexpected end of template" in failed.output
    assert f"{MODEL} is served as before, nothing was stopped" in failed.output
    assert stack.servers() == before


@pytest.mark.long
def test_chats_go_through_the_template_that_lies_beside_the_program(stack: Stack) -> None:
    stack.project.configure(vllmArgs={**FLAGS, "chat-template": "mine.jinja"})
    (stack.project.folder / "mine.jinja").write_text("{{ raise_exception('this is the template of mine') }}")
    stack.project.up()
    messages: list[openai.types.chat.ChatCompletionMessageParam] = [{"role": "user", "content": "Hello"}]
    with pytest.raises(openai.APIStatusError, match="this is the template of mine"):
        stack.client().chat.completions.create(model=MODEL, messages=messages, max_tokens=1)
    stack.project.configure(vllmArgs=FLAGS)
    stack.project.up()
    assert stack.client().chat.completions.create(model=MODEL, messages=messages, max_tokens=1).choices


@pytest.mark.long
def test_another_model_that_fails_while_it_loads_leaves_the_old_one_serving(stack: Stack) -> None:
    stack.project.configure(model=OTHER_MODEL, vllmArgs=FAILS_AT_LOAD)
    failed = stack.project.up(succeeds=False)
    assert f"{MODEL} is served again as before after " in failed.output
    assert "No module named 'no'" in failed.output
    assert stack.outputs["model"] == MODEL
    assert stack.answers(MODEL)


def test_the_next_up_with_the_old_settings_does_not_touch_the_server(stack: Stack) -> None:
    before = stack.servers()
    stack.project.configure(model=None, vllmArgs=FLAGS)
    stack.project.up()
    assert stack.servers() == before
    assert stack.answers(stack.outputs["model"])
    stack.project.pulumi("preview", "--expect-no-changes")


@pytest.mark.long
def test_after_an_up_killed_in_mid_swap_the_old_settings_bring_the_old_model_back(stack: Stack) -> None:
    stack.project.configure(model=OTHER_MODEL)
    stack.project.kill_up_when(lambda: stack.current() == OTHER_MODEL)
    stack.project.configure(model=None)
    stack.project.up()
    assert stack.outputs["model"] == MODEL
    assert stack.answers(MODEL)
    stack.project.pulumi("preview", "--expect-no-changes")


@pytest.mark.long
def test_after_an_up_killed_in_mid_swap_the_same_settings_go_on(stack: Stack) -> None:
    stack.project.configure(model=OTHER_MODEL)
    stack.project.kill_up_when(lambda: stack.current() == OTHER_MODEL)
    stack.project.up()
    assert stack.outputs["model"] == OTHER_MODEL
    # The swap went on by itself, and may have ended before this `up` could follow it.
    starts = (stack.home / ".local/share/lambda-vllm/timeline.jsonl").read_text().splitlines()
    assert json.loads(starts[-1])["outage"] > 0
    assert stack.answers(OTHER_MODEL)
    assert not stack.answers(MODEL)


def test_an_answer_that_is_under_way_at_a_swap_is_given_to_its_end(stack: Stack) -> None:
    model, client, over = stack.outputs["model"], stack.client(), threading.Event()
    ends: Counter[str] = Counter()

    def keep_asking() -> None:
        while not over.is_set():
            ends[long_answer(client, model)] += 1
            over.wait(0.05)

    # Another follows each, so that one is under way whenever the server is stopped.
    asking = threading.Thread(target=keep_asking)
    before = stack.servers()
    asking.start()
    try:
        stack.project.configure(vllmArgs={**FLAGS, "max-num-seqs": 3})
        stack.project.up()
    finally:
        over.set()
        asking.join()
    assert not stack.servers() & before
    assert ends["refused"], "the server was never stopped"
    assert ends["whole"], ends
    assert not ends["cut"], ends


@pytest.mark.parametrize(
    ("settings", "planned", "served"),
    [
        (
            {"model": "microsoft/Phi-4-mini-instruct", "maxModelLen": "auto"},
            "context 4,096 (maxModelLen may be up",
            4096,
        ),
        (
            {
                "model": "Qwen/Qwen2.5-7B-Instruct",
                "maxModelLen": 40000,
                "vllmArgs": {**FLAGS, "hf-overrides": {"rope_parameters": YARN, "max_position_embeddings": 131072}},
            },
            "context 40,000;",
            40000,
        ),
    ],
    ids=["longrope", "yarn by hf-overrides"],
)
def test_the_server_has_the_context_that_the_preview_says(
    stack: Stack, settings: dict[str, Any], planned: str, served: int
) -> None:
    stack.project.configure(**{"vllmArgs": FLAGS, **settings})
    assert planned in stack.project.pulumi("preview").output
    stack.project.up()
    (model,) = stack.client().models.list().data
    assert (model.id, model.model_dump()["max_model_len"]) == (settings["model"], served)
    assert stack.answers(settings["model"])


def test_what_the_tables_say_of_vllm_is_what_the_installed_one_says(stack: Stack) -> None:
    # The build for CPUs comes without the library that models need to see.
    asked = {name: {**case, "checkpoint": False} for name, case in cases().items() if "vision" not in str(case)}
    python = stack.home / ".local/share/lambda-vllm/venv/bin/python"
    done = subprocess.run(
        [str(python), "scripts/vllm_says.py"],
        cwd=REPOSITORY, input=json.dumps(asked), capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    said = json.loads(done.stdout)
    recorded = json.loads(ANSWERS.read_text())
    for name in asked:
        assert _numbers(said[name]) == _numbers(recorded[name]), name


def _numbers(answer: dict[str, Any]) -> dict[str, Any]:
    """Without what the build for CPUs says in words, such as the paths of its files."""
    words = {"refused", "not_laid_out"}
    return {key: key if key in words else value for key, value in answer.items() if key != "checkpoint"}
