"""The main job on a machine that is one: Debian with systemd and a firewall of its own, real vLLM on its CPU.

Needs what machines of the kind `nspawn` need: root and Debian's tools.
"""

import os
import shlex
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.e2e.conftest import FLAGS, MODEL
from tests.support.local_cloud import EMPTY_ACCOUNT, local_cloud
from tests.support.nspawn_cloud import NEEDS_NSPAWN
from tests.support.polling import until
from tests.support.pulumi_project import Project, project

ANYWHERE = ["0.0.0.0/0"]


pytestmark = [
    pytest.mark.timeout(1200),
    NEEDS_NSPAWN,
]


def own_address() -> str:
    """An address of this computer that its machines reach; loopback is each machine's own."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        # Nothing is sent: the kernel only says from where it would be.
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])


@contextmanager
def debian_stack(folder: Path) -> Iterator[Project]:
    """A stack that serves on such a machine; in the end it is destroyed, and nothing is left of it."""
    with local_cloud(folder / "cloud", "nspawn", more_options=["--host", "0.0.0.0"]) as cloud:
        port = cloud.url.rpartition(":")[2]
        with project(folder, cloud) as made:
            # Everything that is waited for is waited for longer: to take such a machine away can take half a minute.
            made.set_environment(LAMBDA_CLOUD_REQUEST_INTERVAL="0.3")
            made.configure(
                apiUrl=f"http://127.0.0.1:{port}",
                hfEndpoint=f"http://{own_address()}:{port}",
                allowedCidrs=ANYWHERE,
                maxModelLen=512,
                vllmArgs=FLAGS,
            )
            made.up()
            yield made
            made.destroy()
            assert cloud.account() == EMPTY_ACCOUNT


def test_a_debian_machine_serves_behind_its_firewall_and_nothing_is_left_of_it(tmp_path: Path) -> None:
    with debian_stack(tmp_path) as made:
        outputs = made.outputs()
        headers = {"Authorization": f"Bearer {outputs['api_key']}"}
        body = {"model": MODEL, "prompt": "Hello", "max_tokens": 4}
        url = f"{outputs['endpoint']}/completions"
        (ca := tmp_path / "ca.pem").write_text(outputs["ca_certificate"])
        assert requests.post(url, json=body, timeout=60, verify=str(ca)).status_code == 401
        answer = requests.post(url, json=body, headers=headers, timeout=120, verify=str(ca))
        assert outputs["reachable"] == "from here"
        assert answer.json()["usage"]["completion_tokens"] == 4
        made.pulumi("preview", "--expect-no-changes")
        made.configure(allowedCidrs=[])
        made.up()
        with pytest.raises(requests.ConnectionError):
            requests.post(url, json=body, headers=headers, timeout=5, verify=str(ca))
        assert made.output("reachable") == "through the tunnel"


CRASHES = {
    "the engine": "pkill -9 -f VLLM::EngineCore",
    "the server": "pkill -9 -f 'vllm serve --config'",
    "the service": "systemctl --user kill --kill-who=main --signal=KILL lambda-vllm",
    "all at once": "systemctl --user kill --kill-who=all --signal=KILL lambda-vllm",
    "the machine": "sudo reboot",
}


@pytest.mark.long
def test_a_debian_machine_serves_again_after_every_crash_and_a_reboot_without_pulumi(tmp_path: Path) -> None:
    with debian_stack(tmp_path) as made:
        outputs = made.outputs()
        for victim, command in CRASHES.items():
            before = main_process(outputs, tmp_path)
            log_in(outputs, tmp_path, command)
            until_it_answers(outputs, tmp_path, victim, before)
        made.pulumi("preview", "--expect-no-changes")


def log_in(outputs: dict[str, Any], folder: Path, command: str) -> str:
    """What a command prints on the machine; nothing when it cannot be reached."""
    key = folder / "key"
    if not key.exists():
        with os.fdopen(os.open(key, os.O_WRONLY | os.O_CREAT, 0o600), "w") as stream:
            stream.write(outputs["ssh_private_key"])
    words = shlex.split(outputs["ssh"])
    words[words.index("-i") + 1] = str(key)
    line = [*words, "-o", "ConnectTimeout=5", command]
    return subprocess.run(line, capture_output=True, text=True, timeout=120, check=False).stdout.strip()


def main_process(outputs: dict[str, Any], folder: Path) -> str:
    """The server that runs, and the boot in which it does."""
    command = "pgrep -f 'vllm serve --config' | sort | head -n 1; cat /proc/sys/kernel/random/boot_id"
    return log_in(outputs, folder, f"{command}; systemctl --user show --property MainPID lambda-vllm")


def until_it_answers(outputs: dict[str, Any], folder: Path, victim: str, before: str) -> None:
    """Wait for a token from another server than before."""
    body = {"model": MODEL, "prompt": "Hello", "max_tokens": 1}
    headers = {"Authorization": f"Bearer {outputs['api_key']}"}
    (ca := folder / "ca.pem").write_text(outputs["ca_certificate"])

    def answers() -> bool:
        try:
            url = f"{outputs['endpoint']}/completions"
            answer = requests.post(url, json=body, headers=headers, timeout=60, verify=str(ca))
        except requests.RequestException:
            return False
        return answer.ok and main_process(outputs, folder) not in {before, ""}

    until(answers, 400, every=1, why=lambda: victim)
