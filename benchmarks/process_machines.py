"""What `process` machines cost: from launch to the first command over SSH, and what many of them need while idle."""

import json
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import psutil

from benchmarks.table import Table, against
from localcloud.machines.processes import processes_of
from tests.support.customer import Customer
from tests.support.local_cloud import LocalCloud, local_cloud

RUNS = 5
MANY = 20
BOUND_SECONDS = 3.0
IDLE_SECONDS = 10.0
MIB = 2**20


def main() -> None:
    """Machines one by one, then many at once, at time scale 0."""
    table = Table("Process machines at time scale 0", ("what", "measured"))
    with tempfile.TemporaryDirectory() as folder, local_cloud(Path(folder) / "cloud", time_scale="0") as cloud:
        customer = Customer(cloud, Path(folder))
        alone = [_launch_to_command(customer) for _ in range(RUNS)]
        customer.end(*cloud.billing())
        table.add(f"launch to first command, median of {RUNS}, s", against(median(alone), BOUND_SECONDS))
        began = time.monotonic()
        with ThreadPoolExecutor(MANY) as pool:
            slowest = max(pool.map(lambda _: _launch_to_command(customer), range(MANY)))
        table.add(f"the same for {MANY} at once, all, s", f"{time.monotonic() - began:.2f}")
        table.add(f"the slowest of the {MANY}, s", f"{slowest:.2f}")
        _idle(cloud, table)
        began = time.monotonic()
        customer.end(*cloud.billing())
        table.add(f"end of all {MANY}, s", f"{time.monotonic() - began:.2f}")
    table.show()


def _launch_to_command(customer: Customer) -> float:
    began = time.monotonic()
    machine = customer.launch()
    customer.active(machine)
    customer.ssh(machine, "true")
    return time.monotonic() - began


def _idle(cloud: LocalCloud, table: Table) -> None:
    emulator = psutil.Process(json.loads((cloud.state / "server.json").read_text())["pid"])
    before = sum(emulator.cpu_times()[:2])
    time.sleep(IDLE_SECONDS)
    share = (sum(emulator.cpu_times()[:2]) - before) / IDLE_SECONDS
    processes = [process for machine in cloud.billing() for process in processes_of(machine)]
    memory = sum(process.memory_info().rss for process in (emulator, *processes)) / MIB
    table.add(f"{MANY} idle: processes of machines", len(processes))
    table.add(f"{MANY} idle: memory with the emulator, MiB", f"{memory:.0f}")
    table.add(f"{MANY} idle: share of a core", f"{share:.3f}")


if __name__ == "__main__":
    main()
