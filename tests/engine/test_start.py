"""Starting the service and waiting for it, with systemd played and a model server of the test's own."""

import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.engine.gpu_machine import GpuMachine

SYSTEMCTL = """
echo "systemctl $*" >>"$HOME/called"
[[ $* != *" show "* ]] || printf 'ActiveState=active\\nSubState=running\\nNRestarts=0\\n'
"""
WORDS = ("hash", "{port}", "org/model", "600")


class ModelServer(BaseHTTPRequestHandler):
    """Answers once the test lets it."""

    may_answer: threading.Event
    cut_answers: int

    def do_GET(self) -> None:
        self.may_answer.wait(60)
        self.send_response(200 if self.path == "/health" else 401)
        self.end_headers()

    def do_POST(self) -> None:
        self.send_response(200)
        if ModelServer.cut_answers:
            ModelServer.cut_answers -= 1
            self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b'{"choices": [{"text": "."}]}')

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    ModelServer.may_answer, ModelServer.cut_answers = threading.Event(), 0
    with ThreadingHTTPServer(("127.0.0.1", 0), ModelServer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        ModelServer.may_answer.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def machine(tmp_path: Path) -> GpuMachine:
    machine = GpuMachine(tmp_path)
    machine.accelerator("gh200-580")
    machine.play("systemctl", SYSTEMCTL)
    (machine.settings / "api-keys").write_text("key\n")
    (machine.settings / "vllm.yaml").write_text('{"cpu-offload-gb": 52}')
    (machine.base / "logs").mkdir()
    (machine.base / "logs/vllm.log").write_text("Total CPU offloaded parameters: 52.16\n")
    (machine.base / "started").write_text("hash\n")
    return machine


def test_a_connection_that_is_cut_while_the_model_loads_does_not_stop_the_server(
    machine: GpuMachine, server: ThreadingHTTPServer
) -> None:
    command = ["bash", str(machine.base / "scripts/start.sh")]
    command += [word.format(port=server.server_address[1]) for word in WORDS]
    with subprocess.Popen(
        command, env=machine.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as starting:
        assert starting.stdout is not None
        assert starting.stdout.readline() == b"the service runs with these settings\n"
        # What sshd does when nobody is at the other end any more.
        starting.stdout.close()
        ModelServer.may_answer.set()
        assert starting.wait(60) != 0
    assert " stop " not in machine.called
    assert (machine.base / "started").exists()


def test_an_answer_that_is_cut_off_is_waited_for_again(machine: GpuMachine, server: ThreadingHTTPServer) -> None:
    ModelServer.cut_answers = 1
    ModelServer.may_answer.set()
    done = machine.run("start.sh", *(word.format(port=server.server_address[1]) for word in WORDS))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("start: done in ")
    assert " stop " not in machine.called


def test_a_service_that_cannot_begin_says_why_in_its_own_log(machine: GpuMachine) -> None:
    machine.play("nvidia-smi", "echo 'Failed to initialize NVML: Unknown Error'; exit 255")
    assert machine.run("serve.sh").returncode != 0
    assert "finds no GPU: Failed to initialize NVML" in (machine.base / "logs/vllm.log").read_text()
    assert "52.16" in (machine.base / "logs/vllm.log.1").read_text()


def test_a_service_whose_filesystem_is_not_there_says_so_in_its_own_log(machine: GpuMachine) -> None:
    (machine.settings / "cache").write_text("/nowhere/at/all/cache\n")
    assert machine.run("serve.sh").returncode != 0
    assert "is the filesystem attached to this machine?" in (machine.base / "logs/vllm.log").read_text()
