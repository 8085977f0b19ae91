"""What N machines cost in calls and time: up, an up without changes, refresh, destroy.

Lambda's limits and a boot are scaled by one pace, on both sides alike, so that a run takes minutes: at pace 1 a launch
may leave every 12 s and a boot takes 60 s. The time of `up` is held against N launch gaps and one boot of the same
pace; what is above that is overhead.
"""

import sys
import tempfile
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from statistics import median

from benchmarks.table import Table, against
from components.lambda_cloud.api.limits import LAUNCH_INTERVAL_VARIABLE, REQUEST_INTERVAL_VARIABLE, Limits
from localcloud.machines.timings import boot_times
from tests.engine.conftest import FLEET_PROGRAM
from tests.support.local_cloud import LocalCloud, local_cloud
from tests.support.pulumi_project import project

PACE_BY_NUMBER = {1: 1.0, 5: 0.5, 20: 0.25, 50: 0.2}
UP_BOUND = 1.05


def main() -> None:
    """Measure each number of machines on a cloud of its own."""
    calls = Table("API calls (all; reads of the list of instances; 429)", ("N", "up", "up again", "refresh", "destroy"))
    times = Table(
        "Time",
        ("N", "pace", "up s", "N gaps + boot s", "ratio", "median gap / limit", "again s", "refresh s", "destroy s"),
    )
    for number, pace in PACE_BY_NUMBER.items():
        print(f"{number} machines at pace {pace} ...", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory() as folder:
            _measure(Path(folder), number, pace, calls, times)
    calls.show()
    times.show()


def _measure(folder: Path, number: int, pace: float, calls: Table, times: Table) -> None:
    limits = Limits()
    request, launch = limits.request_interval * pace, limits.launch_interval * pace
    with (
        local_cloud(folder / "cloud", "none", str(pace), str(pace)) as cloud,
        project(folder, cloud, FLEET_PROGRAM) as fleet,
    ):
        fleet.set_environment(**{REQUEST_INTERVAL_VARIABLE: str(request), LAUNCH_INTERVAL_VARIABLE: str(launch)})
        fleet.configure(apiUrl=cloud.url, count=number, capacityTimeoutSeconds=600, bootTimeoutSeconds=600)
        counts, seconds = [], []
        gaps: list[float] = []
        for command in ("up", "up", "refresh", "destroy"):
            cloud.forget_requests()
            began = time.monotonic()
            fleet.pulumi(command, "--yes", "--skip-preview")
            seconds.append(time.monotonic() - began)
            counts.append(_counts(cloud))
            gaps = gaps or _launch_gaps(cloud)
    boots = (boot_times(0, "gpu_1x_gh200", one).active * pace for one in range(1, number + 1))
    expected = max(one * launch + boot for one, boot in enumerate(boots, 1))
    calls.add(number, *counts)
    times.add(
        number,
        pace,
        f"{seconds[0]:.1f}",
        f"{expected:.1f}",
        against(seconds[0] / expected, UP_BOUND),
        f"{median(gaps) / launch:.3f}" if gaps else "-",
        *(f"{one:.1f}" for one in seconds[1:]),
    )


def _counts(cloud: LocalCloud) -> str:
    asked = [one for one in cloud.requests() if one["service"] == "lambda"]
    operations = Counter(one["operation"] for one in asked)
    too_many = sum(one["status"] == 429 for one in asked)
    return f"{len(asked)}; {operations['list-instances']}; {too_many}"


def _launch_gaps(cloud: LocalCloud) -> list[float]:
    moments = [one["time"] for one in cloud.requests() if one["operation"] == "launch"]
    return [later - earlier for earlier, later in pairwise(moments)]


if __name__ == "__main__":
    main()
