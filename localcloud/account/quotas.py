"""How much the account may have."""

from pydantic import BaseModel, ConfigDict, Field

from localcloud.account.records import GONE, QuotaRecord
from localcloud.account.store import Store


class Quotas(BaseModel):
    """How many of each there may be; None for as many as wanted. Lambda has a quota error for these three only.

    24 filesystems are Lambda's own number; those of the others differ from account to account.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    instances: int | None = Field(default=None, ge=0)
    filesystems: int | None = Field(default=24, ge=0)
    firewall_rulesets: int | None = Field(default=None, ge=0)


class Allowance:
    """What of the quotas is left; quotas are kept with the account."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def quotas(self) -> Quotas:
        """Those that hold now."""
        record = self._store.quotas.get(QuotaRecord.ID)
        return Quotas(**record.limits) if record else Quotas()

    def change(self, changed: Quotas) -> Quotas:
        """Change the quotas that are given; all of them."""
        quotas = self.quotas.model_copy(update=changed.model_dump(exclude_unset=True))
        self._store.quotas.put(QuotaRecord(limits=quotas.model_dump()))
        return quotas

    def has_instance(self) -> bool:
        """Whether one more may be launched; one that is terminating still counts."""
        alive = sum(one.status not in GONE for one in self._store.instances.all())
        return _has_room(self.quotas.instances, alive)

    def has_filesystem(self) -> bool:
        """Whether one more may be made."""
        return _has_room(self.quotas.filesystems, len(self._store.filesystems.all()))

    def has_firewall_ruleset(self) -> bool:
        """Whether one more may be made."""
        return _has_room(self.quotas.firewall_rulesets, len(self._store.rulesets.all()))


def _has_room(quota: int | None, used: int) -> bool:
    return quota is None or used < quota
