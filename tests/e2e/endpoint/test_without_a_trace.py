"""The end of the endpoint, after everything that was done to it."""

import psutil
import pytest

from tests.e2e.conftest import Served, accepts
from tests.support.local_cloud import EMPTY_ACCOUNT

pytestmark = pytest.mark.timeout(1200)


def test_destroy_leaves_no_instance_no_process_no_port_and_no_resource(served: Served) -> None:
    address, homes = served.outputs["ip"], str(served.cloud.state)
    assert accepts(address, 8000)
    served.project.destroy()
    assert served.cloud.account() == EMPTY_ACCOUNT
    assert served.project.resources() == []
    assert not accepts(address, 8000)
    assert not accepts(address, 2222)
    left = [
        p.pid for p in psutil.process_iter(["environ"]) if (p.info["environ"] or {}).get("HOME", "").startswith(homes)
    ]
    assert left == []
