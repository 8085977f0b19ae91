"""How long a test waits for an account of the pytest plugin: from asking for a fresh one to having it.

That is the end of the account before and the beginning of the next; also where the one before was left with instances.
"""

import json
import time
from http.client import HTTPConnection
from statistics import median
from urllib.parse import urlsplit

from benchmarks.table import Table
from localcloud.testing import Accounts, AccountSettings, LambdaCloud
from tests.support.emulated import PUBLIC_KEY

ACCOUNTS = 50
LEFT_BEHIND = (0, 20)
"""Instances in the account before."""
BOUND = 50.0
"""Milliseconds."""


def main() -> None:
    """Measure each number of instances left behind, in one session."""
    table = Table(
        f"A fresh account, {ACCOUNTS} times (no machines)", ("instances left behind", "median ms", "longest ms")
    )
    with Accounts(AccountSettings()) as accounts:
        accounts.fresh()
        for instances in LEFT_BEHIND:
            taken = [_milliseconds(accounts, instances) for _ in range(ACCOUNTS)]
            kept = "ok" if median(taken) <= BOUND else "MISSED"
            table.add(instances, f"{median(taken):.1f} of {BOUND:.0f} {kept}", f"{max(taken):.1f}")
    table.show()


def _milliseconds(accounts: Accounts, instances: int) -> float:
    """How long a fresh account takes after one with so many instances."""
    _fill(accounts.fresh(), instances)
    began = time.perf_counter()
    accounts.fresh()
    return (time.perf_counter() - began) * 1000


def _fill(cloud: LambdaCloud, instances: int) -> None:
    address = urlsplit(cloud.url)
    connection = HTTPConnection(address.hostname or "", address.port, timeout=30)
    order = {"region_name": "us-east-3", "instance_type_name": "gpu_1x_gh200", "ssh_key_names": ["me"]}
    calls: list[tuple[str, object]] = [("ssh-keys", {"name": "me", "public_key": PUBLIC_KEY})]
    calls += [("instance-operations/launch", order)] * instances
    for path, body in calls:
        headers = {"Authorization": f"Bearer {cloud.api_key}", "User-Agent": "fresh-account"}
        connection.request("POST", f"/api/v1/{path}", json.dumps(body), headers)
        response = connection.getresponse()
        text = response.read()
        assert response.status == 200, text
    connection.close()
    assert len(cloud.billing()) == instances


if __name__ == "__main__":
    main()
