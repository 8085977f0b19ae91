"""`python -m ops` with real vLLM: what the commands show is what the server did."""

import json
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ops.conversation import Conversation
from ops.metrics import read_metrics
from ops.monitoring import DASHBOARD
from ops.outputs import StackOutputs
from ops.server import reach
from tests.e2e.conftest import MODEL, Served
from tests.support.polling import until
from tests.support.prometheus import NoPrometheusError, expressions, programs, prometheus
from tests.support.pulumi_cli import REPOSITORY
from tests.support.pulumi_project import Project
from tests.support.signals import let_signals_arrive

pytestmark = pytest.mark.timeout(1200)

QUESTION = "What is the name of the capital of France?"


@dataclass(frozen=True)
class Used:
    """A stack that serves, and a shell in which its user works."""

    project: Project
    outputs: StackOutputs

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "ops", *words, "--project", str(self.project.folder)]

    def ops(self, *words: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        return subprocess.run(
            self.command(*words),
            cwd=REPOSITORY,
            env=self.project.environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    def status(self) -> dict[str, Any]:
        """What `status --json` says."""
        done = self.ops("status", "--json", "--seconds", "1")
        assert done.returncode == 0, done.stdout + done.stderr
        return dict(json.loads(done.stdout))


@pytest.fixture(scope="module")
def used(served: Served) -> Used:
    # Ctrl+C ends a tunnel, also where the tests themselves run behind `&`.
    let_signals_arrive()
    return Used(served.project, StackOutputs(served.outputs))


def test_chat_prints_the_answer_and_how_fast_it_came(used: Used) -> None:
    done = used.ops("chat", "--prompt", QUESTION, "--max-tokens", "12")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert re.search(r"\[12 tokens, [\d.]+ tokens/s, first after [\d.]+ s\]", done.stderr)


def test_an_answer_comes_in_pieces_and_the_conversation_goes_on(used: Used) -> None:
    with reach(used.outputs) as server:
        conversation = Conversation(server, used.outputs.model, 8, "Be brief.")
        assert len(list(conversation.ask(QUESTION))) > 1
        assert len(list(conversation.ask("And of Italy?"))) > 1
        assert [message["role"] for message in conversation.messages] == ["user", "assistant"] * 2


def test_a_prompt_that_does_not_fit_is_one_line(used: Used) -> None:
    done = used.ops("chat", stdin="word " * 600)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("ops: the server answered 400: ")
    assert done.stderr.count("\n") == 1


def test_the_status_counts_what_was_asked(used: Used) -> None:
    before = used.status()
    for _ in range(3):
        assert used.ops("chat", "--prompt", QUESTION, "--max-tokens", "5").returncode == 0
    after = used.status()
    assert after["service"] == "active"
    assert (after["model"], after["instance_type"]) == (MODEL, "gpu_1x_gh200")
    assert after["server"]["finished"]["length"] - before["server"]["finished"]["length"] == 3
    assert after["server"]["output_tokens"] - before["server"]["output_tokens"] == 15
    assert after["server"]["prompt_tokens"] > before["server"]["prompt_tokens"]
    assert after["server"]["uptime"] > before["server"]["uptime"] > 0
    assert 0 < after["server"]["ttft_median"] <= after["server"]["ttft_p95"]
    assert 0 < after["server"]["itl_median"] <= after["server"]["itl_p95"]
    assert after["server"]["running"] == after["server"]["waiting"] == 0
    assert 0 <= after["server"]["prefix_cache_hit_rate"] <= 1
    assert after["cost"]["per_hour"] == 2.29
    assert after["cost"]["since_set_up"] > 0
    assert after["problems"] == []


def test_an_answer_that_is_broken_off_ends_on_the_server_too(used: Used) -> None:
    def finished_once_broken_off() -> int:
        """How many answers were made to their end until nothing is under way; one has been broken off."""
        with reach(used.outputs) as server:
            pieces = Conversation(server, used.outputs.model, 480, None).ask(QUESTION)
            next(pieces)
            pieces.close()
        now = until(lambda: (found := used.status()["server"]) and not found["running"] and found)
        return int(sum(now["finished"].values()))

    counts = [int(sum(used.status()["server"]["finished"].values()))]
    # A busy computer may make an answer to its end before this one has broken it off, but not each time.
    while len(counts) < 10 and (len(counts) == 1 or counts[-1] != counts[-2]):
        counts.append(finished_once_broken_off())
    assert counts[-1] == counts[-2], counts


def test_logs_show_vllms_log(used: Used) -> None:
    done = used.ops("logs", "-n", "1000")
    assert done.returncode == 0, done.stderr
    assert "Application startup complete" in done.stdout
    assert used.outputs.api_key not in done.stdout
    assert len(used.ops("logs", "-n", "2").stdout.splitlines()) == 2


def test_openais_client_works_with_what_the_tunnel_prints(used: Used) -> None:
    with subprocess.Popen(
        used.command("tunnel"), cwd=REPOSITORY, env=used.project.environment, stdout=subprocess.PIPE, text=True
    ) as tunnel:
        try:
            assert tunnel.stdout
            count = 3 if used.outputs.ca_certificate else 2
            lines = [tunnel.stdout.readline() for _ in range(count)]
            said = dict(line.removeprefix("export ").strip().split("=", 1) for line in lines)
            code = "import openai; print(openai.OpenAI(max_retries=0).models.list().data[0].id)"
            done = subprocess.run(
                [sys.executable, "-c", code], env={**used.project.environment, **said}, capture_output=True, text=True
            )
            assert done.stdout == f"{MODEL}\n", done.stderr
        finally:
            tunnel.send_signal(signal.SIGINT)
    assert tunnel.returncode == 0


def test_bench_measures_with_vllms_own_benchmark_and_tells_the_price(used: Used) -> None:
    words = ["--requests", "6", "--concurrency", "2", "--input-tokens", "16", "--output-tokens", "8"]
    done = used.ops("bench", *words, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["completed"], found["failed"]) == (6, 0)
    assert 0 < found["latency"]["first_token"]["p50"] <= found["latency"]["first_token"]["p99"]
    assert found["output_tokens_per_second"] * found["seconds"] == pytest.approx(48)
    expected = 2.29 / 3600 / found["output_tokens_per_second"] * 1_000_000
    assert found["dollars_per_million_output_tokens"] == pytest.approx(expected)
    assert used.outputs.api_key not in done.stderr


def test_a_benchmark_that_the_context_cannot_hold_says_so(used: Used) -> None:
    done = used.ops("bench", "--requests", "2", "--input-tokens", "600", "--output-tokens", "8")
    assert done.returncode == 1
    assert (
        "--input-tokens 600 and --output-tokens 8 are together more than the model's context holds (512)" in done.stderr
    )


def test_a_prometheus_reads_the_server_and_every_panel_of_the_dashboard_has_its_metrics(
    used: Used, tmp_path: Path
) -> None:
    try:
        programs()
    except NoPrometheusError as error:
        pytest.skip(str(error))
    folder = tmp_path / "monitoring"
    assert used.ops("monitoring", "--folder", str(folder)).returncode == 0
    config = folder / "prometheus.yml"
    config.write_text(config.read_text().replace("scrape_interval: 15s", "scrape_interval: 1s"))
    with reach(used.outputs) as server:
        known = read_metrics(server.metrics()).names
    with prometheus(config, tmp_path) as running:
        running.wait_until_read()
        assert used.ops("chat", "--prompt", QUESTION, "--max-tokens", "8").returncode == 0
        running.wait_until_read(times=4)
        for expression in expressions(DASHBOARD):
            assert set(re.findall(r"vllm:\w+", expression)) <= known, expression
            assert running.get("query", query=expression)["result"], expression
