"""Everything that a cloud is served with to go wrong, put into force: scenarios and the drift of capacity."""

from collections.abc import Collection

from localcloud.account.catalogue import INSTANCE_TYPES
from localcloud.cloud import Cloud
from localcloud.faults.fault import Fault
from localcloud.faults.scenarios import faults_of, scenario_named


def play(cloud: Cloud, name: str, seed: int, operations: Collection[str]) -> list[Fault]:
    """Put a scenario into force, in addition to the faults that wait already; its faults.

    Raises:
        ValueError: one line: there is no such scenario.
    """
    scenario = scenario_named(name)
    if not scenario.has_capacity:
        for row in INSTANCE_TYPES.values():
            cloud.capacity.limit(row.name, dict.fromkeys(row.usual_regions, 0))
    return [cloud.faults.add(fault, operations) for fault in faults_of(scenario, seed, cloud.faults.has_ssh)]
