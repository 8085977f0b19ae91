"""`python -m components.vllm.preflight`: the plan without a stack, for people and for programs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.local_cloud import LocalCloud
from tests.support.pulumi_cli import REPOSITORY

LLAMA_70B = "full-size/Llama-3.1-70B-Instruct"


@pytest.fixture
def ask(api_cloud: LocalCloud, tmp_path: Path) -> "Ask":
    return Ask(api_cloud, tmp_path)


class Ask:
    """The command against the local cloud."""

    def __init__(self, cloud: LocalCloud, folder: Path) -> None:
        self.cloud = cloud
        self._environment = os.environ | {
            "LAMBDA_API_KEY": cloud.api_key,
            "HF_TOKEN": cloud.hf_token,
            "LAMBDA_CLOUD_REQUEST_INTERVAL": "0",
            "XDG_STATE_HOME": str(folder),
        }

    def __call__(self, *words: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "components.vllm.preflight", *words]
        command += ["--api-url", self.cloud.url, "--hf-endpoint", self.cloud.url]
        return subprocess.run(
            command, cwd=REPOSITORY, env=self._environment, capture_output=True, text=True, check=False
        )


def test_it_prints_what_the_preview_prints_and_creates_nothing(ask: Ask) -> None:
    done = ask("--model", LLAMA_70B, "--instance-type", "gpu_1x_gh200")
    assert done.returncode == 0, done.stderr
    assert f"model {LLAMA_70B} at " in done.stdout
    assert "GiB more in the machine's memory" in done.stdout
    assert ask.cloud.writes() == []


def test_a_program_reads_numbers(ask: Ask) -> None:
    done = ask("--model", LLAMA_70B, "--json", "--max-model-len", "32768", "--vllm-arg", "kv-cache-dtype=fp8")
    told = json.loads(done.stdout)
    (machine,) = told["machines"]
    assert machine["fits"] is True
    assert machine["max_model_len"] >= 32768
    assert told["problems"] == []


def test_what_speaks_against_it_is_told_by_the_words_of_the_command_line(ask: Ask) -> None:
    done = ask("--model", "llama", "--max-price", "0")
    assert done.returncode == 1
    assert "--model: " in done.stderr
    assert "--max-price: " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_program_reads_what_speaks_against_it(ask: Ask) -> None:
    done = ask("--model", LLAMA_70B, "--instance-type", "gpu_1x_a10", "--region", "us-east-1", "--json")
    assert done.returncode == 1
    problems = json.loads(done.stdout)["problems"]
    assert "gpu_1x_a10: needs 131." in problems[0]
    assert "what would fit" in problems[-1]


def test_an_option_that_does_not_exist_is_refused_with_the_usage(ask: Ask) -> None:
    done = ask("--modle", "x")
    assert done.returncode == 2
    assert "usage: python -m components.vllm.preflight" in done.stderr
