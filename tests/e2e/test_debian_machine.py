"""The main job on a machine that is one: Debian with systemd and a firewall of its own, real vLLM on its CPU.

Needs what machines of the kind `nspawn` need: root and Debian's tools.
"""

import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.e2e.conftest import FLAGS, MODEL
from tests.support.debian_stack import assert_serves_behind_its_firewall, debian_stack
from tests.support.local_cloud import LocalCloud
from tests.support.nspawn_cloud import NEEDS_NSPAWN
from tests.support.polling import until
from tests.support.pulumi_project import Project

pytestmark = [
    pytest.mark.timeout(1200),
    NEEDS_NSPAWN,
    pytest.mark.long,
]


def with_vllm(made: Project, _: LocalCloud) -> None:
    """Settings that two cores bear."""
    made.configure(maxModelLen=512, vllmArgs=FLAGS)


def test_a_debian_machine_serves_behind_its_firewall_and_nothing_is_left_of_it(tmp_path: Path) -> None:
    with debian_stack(tmp_path, with_vllm) as made:
        assert assert_serves_behind_its_firewall(made, tmp_path)["usage"]["completion_tokens"] == 4


CRASHES = {
    "the engine": "pkill -9 -f VLLM::EngineCore",
    "the server": "pkill -9 -f 'vllm serve --config'",
    "the service": "systemctl --user kill --kill-who=main --signal=KILL lambda-vllm",
    "all at once": "systemctl --user kill --kill-who=all --signal=KILL lambda-vllm",
    "the machine": "sudo reboot",
}


def test_a_debian_machine_serves_again_after_every_crash_and_a_reboot_without_pulumi(tmp_path: Path) -> None:
    with debian_stack(tmp_path, with_vllm) as made:
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
