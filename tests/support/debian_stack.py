"""A stack whose machine is a machine: Debian with systemd and a firewall of its own."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.local_cloud import EMPTY_ACCOUNT, LocalCloud, local_cloud
from tests.support.pulumi_project import Project, project

ANYWHERE = ["0.0.0.0/0"]


def own_address() -> str:
    """An address of this computer that its machines reach; loopback is each machine's own."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        # Nothing is sent: the kernel only says from where it would be.
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])


@contextmanager
def debian_stack(folder: Path, prepare: Callable[[Project, LocalCloud], object]) -> Iterator[Project]:
    """A stack that serves on such a machine; in the end it is destroyed, and nothing is left of it.

    `prepare` is called before the first `up`.
    """
    with local_cloud(folder / "cloud", "nspawn", more_options=["--host", "0.0.0.0"]) as cloud:
        port = cloud.url.rpartition(":")[2]
        with project(folder, cloud) as made:
            # Everything that is waited for is waited for longer: to take such a machine away can take half a minute.
            made.set_environment(LAMBDA_CLOUD_REQUEST_INTERVAL="0.3")
            prepare(made, cloud)
            made.configure(
                apiUrl=f"http://127.0.0.1:{port}",
                hfEndpoint=f"http://{own_address()}:{port}",
                allowedCidrs=ANYWHERE,
                sshPort=None,
            )
            made.up()
            yield made
            made.destroy()
            assert cloud.account() == EMPTY_ACCOUNT


def assert_serves_behind_its_firewall(made: Project, folder: Path) -> dict[str, Any]:
    """With the key from here, and once nobody may come any more from nowhere. What the server answered."""
    outputs = made.outputs()
    url, ca = f"{outputs['endpoint']}/completions", folder / "ca.pem"
    ca.write_text(outputs["ca_certificate"])
    headers = {"Authorization": f"Bearer {outputs['api_key']}"}
    body = {"model": outputs["model"], "prompt": "Hello", "max_tokens": 4}
    assert requests.post(url, json=body, timeout=60, verify=str(ca)).status_code == 401
    answer = requests.post(url, json=body, headers=headers, timeout=120, verify=str(ca))
    assert answer.ok, answer.text
    assert outputs["reachable"] == "from here"
    made.pulumi("preview", "--expect-no-changes")
    made.configure(allowedCidrs=[])
    made.up()
    with pytest.raises(requests.ConnectionError):
        requests.post(url, json=body, headers=headers, timeout=5, verify=str(ca))
    assert made.output("reachable") == "through the tunnel"
    return dict(answer.json())
