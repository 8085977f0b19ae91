"""The main job on a machine that is one: Debian with systemd and a firewall of its own, real vLLM on its CPU.

Needs what machines of the kind `nspawn` need: root and Debian's tools.
"""

import socket
from pathlib import Path

import pytest
import requests

from tests.e2e.conftest import FLAGS, MODEL
from tests.engine.nspawn_cloud import NEEDS_NSPAWN
from tests.local_cloud import EMPTY_ACCOUNT, local_cloud
from tests.pulumi_project import project

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


def test_a_debian_machine_serves_behind_its_firewall_and_nothing_is_left_of_it(tmp_path: Path) -> None:
    with local_cloud(tmp_path / "cloud", "nspawn", more_options=["--host", "0.0.0.0"]) as cloud:
        port = cloud.url.rpartition(":")[2]
        with project(tmp_path, cloud) as made:
            made.configure(
                apiUrl=f"http://127.0.0.1:{port}",
                hfEndpoint=f"http://{own_address()}:{port}",
                allowedCidrs=ANYWHERE,
                maxModelLen=512,
                vllmArgs=FLAGS,
            )
            made.up()
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
            made.destroy()
            assert cloud.account() == EMPTY_ACCOUNT
