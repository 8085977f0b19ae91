"""The main job, end to end. Tests run from top to bottom; those that change the stack stand at the end."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
from pathlib import Path

import openai
import psutil
import pytest
import requests
from huggingface_hub import HfApi

from tests.e2e.conftest import FLAGS, MODEL, Served, accepts
from tests.support.log_samples.starts import CPU_STAGES
from tests.support.polling import until
from tests.support.pulumi_cli import REPOSITORY

pytestmark = pytest.mark.timeout(1200)

ANSWERS = REPOSITORY / "tests/support/answers_by_uvicorn.py"
QUESTION = "What is the name of the capital of France?"


def test_an_up_killed_during_the_install_goes_on_with_the_same_machine_and_the_same_install(served: Served) -> None:
    assert served.cloud.billing() == [served.outputs["instance_id"]]
    assert served.cloud.calls("launch") == 1
    assert "install: under way, following it" in served.up.output or "before this run" in served.up.output


def test_curl_gets_the_tutorials_completion(served: Served) -> None:
    outputs = served.outputs
    answer = subprocess.run(
        [
            "curl", "--silent", "--fail", "--cacert", served.ca_file(), f"{outputs['endpoint']}/completions",
            "--header", f"Authorization: Bearer {outputs['api_key']}",
            "--header", "Content-Type: application/json",
            "--data", f'{{"model": "{MODEL}", "prompt": "{QUESTION}", "temperature": 0, "max_tokens": 1}}',
        ],
        capture_output=True,
        text=True,
        check=True,
    )  # fmt: skip
    assert '"object":"text_completion"' in answer.stdout
    assert '"completion_tokens":1' in answer.stdout


def test_openais_client_lists_the_model_under_its_own_name(served: Served) -> None:
    assert [model.id for model in served.client().models.list()] == [MODEL]


def test_openais_client_gets_completions_that_the_model_computed(served: Served) -> None:
    client = served.client()
    first, again, other = (
        client.completions.create(model=MODEL, prompt=prompt, max_tokens=8, temperature=0).choices[0].text
        for prompt in (QUESTION, QUESTION, "Nothing of the kind")
    )
    assert first == again != other


def test_openais_client_chats(served: Served) -> None:
    messages: list[openai.types.chat.ChatCompletionMessageParam] = [{"role": "user", "content": QUESTION}]
    answer = served.client().chat.completions.create(model=MODEL, messages=messages, max_tokens=8)
    assert answer.choices[0].message.content


def test_openais_client_streams(served: Served) -> None:
    chunks = list(served.client().completions.create(model=MODEL, prompt=QUESTION, max_tokens=8, stream=True))
    assert len(chunks) > 1
    assert "".join(chunk.choices[0].text for chunk in chunks if chunk.choices)


def test_without_the_key_every_path_but_health_answers_401(served: Served) -> None:
    outputs = served.outputs
    root = outputs["endpoint"].removesuffix("/v1")
    ca = served.ca_file()
    for path in ("/health", "/v1/models", "/v1/completions", "/invocations", "/docs", "/metrics", "/nowhere"):
        status = requests.get(f"{root}{path}", timeout=60, verify=ca).status_code
        assert status == (200 if path == "/health" else 401), path
    with pytest.raises(openai.AuthenticationError):
        served.client_with("sk-wrong").models.list()


def test_the_ssh_output_logs_in_with_the_host_key_checked(served: Served, tmp_path: Path) -> None:
    login = with_key_file(served, "ssh", tmp_path)
    said = subprocess.run([*login, "hostname; echo $USER"], capture_output=True, text=True, timeout=60, check=True)
    assert said.stdout.split()[-1] == "ubuntu"


def test_the_tunnel_output_brings_the_endpoint_to_this_computer(served: Served, tmp_path: Path) -> None:
    words = with_key_file(served, "tunnel", tmp_path)
    # Port 8000 of this computer may be another's.
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    place = words.index("-L") + 1
    assert words[place].startswith("8000:")
    words[place] = words[place].replace("8000", str(port), 1)
    with subprocess.Popen(words) as tunnel:
        try:
            until(lambda: accepts("127.0.0.1", port), every=0.2)
            for name in ("127.0.0.1", "localhost"):
                answer = requests.get(f"https://{name}:{port}/health", timeout=30, verify=served.ca_file())
                assert answer.status_code == 200
        finally:
            tunnel.send_signal(signal.SIGTERM)


def test_no_secret_is_in_state_logs_or_the_process_list(served: Served) -> None:
    outputs = served.outputs
    state = served.project.export()
    home = served.home()
    logs = "".join(file.read_text(errors="replace") for file in (home / ".local/share/lambda-vllm").glob("logs/*"))
    logs += "".join(file.read_text(errors="replace") for file in (home / ".local/share/lambda-vllm").glob("jobs/*/*"))
    commands = "".join(" ".join(p.info["cmdline"] or []) for p in psutil.process_iter(["cmdline"]))
    assert "vLLM" in logs
    for secret in (served.cloud.api_key, served.cloud.hf_token, outputs["api_key"], "PRIVATE KEY"):
        assert secret not in state
        assert secret not in logs
        assert secret not in commands
        assert secret not in served.up.output
    for name in ("api-keys", "hf-token", "current/setting.json", "tls.pem"):
        assert (home / ".config/lambda-vllm" / name).stat().st_mode & 0o777 == 0o600


def test_after_up_there_is_nothing_to_do_and_the_cloud_is_not_written_to(served: Served) -> None:
    served.cloud.forget_requests()
    served.project.pulumi("preview", "--expect-no-changes")
    served.project.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes")
    served.project.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
    assert served.cloud.writes() == []


def test_outputs_say_what_runs_where_what_it_costs_and_where_the_time_went(served: Served) -> None:
    outputs = served.outputs
    assert outputs["endpoint"] == f"https://{outputs['ip']}:8000/v1"
    assert (outputs["model"], outputs["instance_type"], outputs["region"]) == (MODEL, "gpu_1x_gh200", "us-east-3")
    assert outputs["price_per_hour"] == 2.29
    assert outputs["reachable"] == "from here"
    assert all(outputs["timeline"][stage] is not None for stage in ("boot", "install", "download", "start"))


def test_a_start_on_a_cpu_had_each_of_its_stages(served: Served) -> None:
    starts = (served.home() / ".local/share/lambda-vllm/timeline.jsonl").read_text().splitlines()
    start = json.loads(starts[0])
    assert start["result"] == "served"
    assert tuple(start["stages"]) == CPU_STAGES
    assert sum(start["stages"].values()) == pytest.approx(start["start"], abs=2)


def test_of_all_requests_those_that_failed_leave_a_line_in_the_log(served: Served) -> None:
    assert served.client().models.list()
    with pytest.raises(openai.NotFoundError):
        served.client().completions.create(model="no/such-model", prompt=QUESTION, max_tokens=1)
    log = (served.home() / ".local/share/lambda-vllm/logs/vllm.log").read_text(errors="replace")
    assert 'POST /v1/completions HTTP/1.1" 404' in log
    assert 'GET /v1/models HTTP/1.1" 401' in log
    assert 'HTTP/1.1" 200' not in log


def test_so_it_is_with_uvicorn_whatever_the_status(served: Served) -> None:
    base = served.home() / ".local/share/lambda-vllm"
    done = subprocess.run(
        [base / "venv/bin/python", ANSWERS, "200", "401", "404", "500", "204"],
        env={**os.environ, "PYTHONPATH": str(base / "release")},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert re.findall(r'"GET /(\d+) HTTP/1.1"', done.stdout + done.stderr) == ["401", "404", "500"]


def test_a_new_endpoint_key_and_room_for_the_log_count_at_once_without_loading_the_model_again(served: Served) -> None:
    before, old_key = served.servers(), served.outputs["api_key"]
    assert before
    served.project.configure_secret("apiKey", "sk-a-key-of-my-own-choice")
    served.project.configure(logMegabytes=12)
    served.project.up()
    assert (served.home() / ".config/lambda-vllm/log-megabytes").read_text() == "12\n"
    assert served.client().models.list()
    with pytest.raises(openai.AuthenticationError):
        served.client_with(old_key).models.list()
    assert served.servers() == before


def test_a_hub_that_is_down_and_a_price_that_rose_keep_nobody_from_closing_the_firewall(served: Served) -> None:
    before = served.servers()
    served.cloud.fault("hub", "hub-503", times=1000)
    served.project.configure(allowedCidrs=[], maxPricePerHour=1)
    try:
        done = served.project.up()
        assert "a new machine could not serve now: maxPricePerHour" in done.output
        assert set(served.cloud.firewall_sources()) == {"0.0.0.0/0"}
        assert served.servers() == before
    finally:
        served.cloud.control("DELETE", "/faults")
        served.project.configure(allowedCidrs=["127.0.0.0/8"], maxPricePerHour=None)
    served.project.up()
    assert served.servers() == before


def test_a_branch_that_moved_changes_nothing_until_the_user_asks_for_it(served: Served) -> None:
    hub = HfApi(endpoint=served.cloud.url, token=served.cloud.hf_token)
    hub.upload_file(path_or_fileobj=b"moved", path_in_repo="moved.txt", repo_id=MODEL)
    moved = hub.model_info(MODEL).sha
    assert moved
    assert moved not in served.project.export()
    served.project.pulumi("preview", "--expect-no-changes")


def test_a_flag_that_vllm_does_not_know_fails_with_its_name_in_one_line(served: Served) -> None:
    served.project.configure(vllmArgs={**FLAGS, "swap-space": 4})
    failed = served.project.up(succeeds=False)
    assert "swap-space: vLLM 0.32.0 does not have it any more" in failed.output


def test_going_back_to_the_settings_that_served_serves_again(served: Served) -> None:
    served.project.configure(vllmArgs=FLAGS)
    served.project.up()
    assert served.client().completions.create(model=MODEL, prompt=QUESTION, max_tokens=1).choices


@pytest.mark.long
def test_a_machine_ended_behind_pulumis_back_comes_back_serving(served: Served) -> None:
    machine = served.outputs["instance_id"]
    served.cloud.control("PATCH", f"/instances/{machine}", {"status": "terminated"})
    served.project.refresh()
    served.project.up()
    assert served.cloud.billing() == [served.outputs["instance_id"]] != [machine]
    assert served.answers(served.outputs["model"])


def with_key_file(served: Served, output: str, folder: Path) -> list[str]:
    """The words of an `ssh` output, with the private key saved as the README says."""
    outputs = served.outputs
    file = folder / "key"
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600), "w") as stream:
        stream.write(outputs["ssh_private_key"])
    words = shlex.split(outputs[output])
    words[words.index("-i") + 1] = str(file)
    return words
