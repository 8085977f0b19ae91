"""Where each instance type can be had at the moment."""

from localcloud.catalogue import INSTANCE_TYPES, Architecture
from localcloud.records import CapacityRecord
from localcloud.store import Store


class Capacity:
    """Every type is to be had in its usual regions until someone says otherwise; what was said is kept."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def regions(self, instance_type: str) -> list[str]:
        """Region codes in which a launch of the type succeeds now."""
        said = self._store.capacity.get(instance_type)
        return said.regions if said else list(INSTANCE_TYPES[instance_type].usual_regions)

    def restrict(self, instance_type: str, regions: list[str]) -> None:
        """From now on the type is to be had in these regions only."""
        self._store.capacity.put(CapacityRecord(id=instance_type, regions=regions))

    def architecture_regions(self, architecture: Architecture) -> set[str]:
        """Where machines of an architecture are to be had, which is where images for them must be."""
        names = [row.name for row in INSTANCE_TYPES.values() if row.architecture == architecture]
        return {region for name in names for region in self.regions(name)}
