"""What each instance type costs at the moment."""

from dataclasses import replace

from localcloud.account.catalogue import INSTANCE_TYPES, InstanceType
from localcloud.account.records import PriceRecord
from localcloud.account.store import Store


class Prices:
    """Every type costs what the catalogue says until someone says otherwise; what was said is kept."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def offer(self, instance_type: str) -> InstanceType:
        """The type at its price of now."""
        row = INSTANCE_TYPES[instance_type]
        said = self._store.prices.get(instance_type)
        return replace(row, price_cents_per_hour=said.price_cents_per_hour) if said else row

    def change(self, instance_type: str, price_cents_per_hour: int) -> None:
        """From now on the type costs this, also where it runs already."""
        self._store.prices.put(PriceRecord(id=instance_type, price_cents_per_hour=price_cents_per_hour))
