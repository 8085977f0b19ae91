"""Where each instance type can be had at the moment."""

from collections.abc import Mapping

from localcloud.account.catalogue import INSTANCE_TYPES, Architecture
from localcloud.account.drift import Drift
from localcloud.account.records import GONE, CapacityRecord
from localcloud.account.store import Store


class Capacity:
    """Every type is to be had in its usual regions until someone says otherwise; what was said is kept.

    With a drift, what nobody has said anything about comes and goes.
    """

    def __init__(self, store: Store, drift: Drift) -> None:
        self._store = store
        self.drift = drift

    def regions(self, instance_type: str) -> list[str]:
        """Region codes that are listed; with a drift the list is a step old, as Lambda's list is only advice."""
        return [region for region in self._sold_in(instance_type) if self._left(instance_type, region, steps_ago=1)]

    def can_launch(self, instance_type: str, region: str) -> bool:
        """Whether there is a machine left now, whatever is listed."""
        return region in self._sold_in(instance_type) and self._left(instance_type, region, steps_ago=0)

    def restrict(self, instance_type: str, regions: list[str]) -> None:
        """From now on the type is to be had in these regions only, as often as wanted."""
        self._store.capacity.put(CapacityRecord(id=instance_type, regions=regions))

    def limit(self, instance_type: str, left: Mapping[str, int]) -> None:
        """From now on so many more can be had in each region; what ends is to be had again."""
        running = {region: self._running(instance_type, region) for region in left}
        machines = {region: count + running[region] for region, count in left.items()}
        self._store.capacity.put(CapacityRecord(id=instance_type, regions=list(left), machines=machines))

    def forget(self) -> None:
        """Everything is to be had as usual again."""
        with self._store.transaction():
            for record in self._store.capacity.all():
                self._store.capacity.delete(record.id)

    def architecture_regions(self, architecture: Architecture) -> set[str]:
        """Where machines of an architecture are sold, which is where images for them must be."""
        names = [row.name for row in INSTANCE_TYPES.values() if row.architecture == architecture]
        return {region for name in names for region in self._sold_in(name)}

    def _sold_in(self, instance_type: str) -> list[str]:
        """Regions where the type is to be had at times."""
        said = self._store.capacity.get(instance_type)
        return said.regions if said else list(INSTANCE_TYPES[instance_type].usual_regions)

    def _left(self, instance_type: str, region: str, steps_ago: int) -> bool:
        said = self._store.capacity.get(instance_type)
        if said is None:
            return self.drift.is_there(instance_type, region, steps_ago)
        if said.machines is None:
            return True
        return said.machines[region] > self._running(instance_type, region)

    def _running(self, instance_type: str, region: str) -> int:
        """Machines in use. Counted and not kept, so that no crash can lose one."""
        return sum(
            one.instance_type == instance_type and one.region == region and one.status not in GONE
            for one in self._store.instances.all()
        )
