"""Which machine is cut off from the hub: found by the process that asks."""

import os
import subprocess
import sys

from localcloud.machines.environment import MARKER
from tests.support.local_cloud import LocalCloud

ASK = "import requests, sys; sys.exit(0 if requests.get(sys.argv[1], timeout=20).ok else 1)"
FIRST, SECOND = "1" * 32, "2" * 32


def _reaches_the_hub(cloud: LocalCloud, instance_id: str | None) -> bool:
    """Whether a process of this machine, or of no machine, gets an answer."""
    marked = {} if instance_id is None else {MARKER: instance_id}
    command = [sys.executable, "-c", ASK, f"{cloud.url}/api/models/HuggingFaceTB/SmolLM2-135M-Instruct"]
    return subprocess.run(command, env={**os.environ, **marked}, capture_output=True, check=False).returncode == 0


def test_one_machine_or_all_of_them_can_be_cut_off_from_the_hub(cloud: LocalCloud) -> None:
    cut = {"operation": "hub", "kind": "hub-cut", "probability": 1}
    cloud.control("POST", "/faults", {**cut, "instance": FIRST})
    assert [_reaches_the_hub(cloud, one) for one in (FIRST, SECOND, None)] == [False, True, True]
    cloud.control("DELETE", "/faults")
    cloud.control("POST", "/faults", {**cut, "instance": "any"})
    assert [_reaches_the_hub(cloud, one) for one in (FIRST, SECOND, None)] == [False, False, True]
    cloud.control("DELETE", "/faults")
    assert _reaches_the_hub(cloud, FIRST)
