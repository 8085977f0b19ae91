"""What the account holds, as it is kept on disk. Times are seconds since the epoch."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """Base of everything kept; changed by replacing it whole."""

    model_config = ConfigDict(frozen=True)

    id: str


class Status(StrEnum):
    """The states of an instance, Lambda API 1.10.0."""

    BOOTING = "booting"
    ACTIVE = "active"
    UNHEALTHY = "unhealthy"
    TERMINATING = "terminating"
    TERMINATED = "terminated"
    PREEMPTED = "preempted"


GONE = frozenset({Status.TERMINATED, Status.PREEMPTED})
"""The machine exists no more; the row is shown a while longer."""


class Tag(BaseModel):
    """A label of an instance."""

    model_config = ConfigDict(frozen=True)

    key: str
    value: str


class MountedFilesystem(BaseModel):
    """A filesystem of an instance, and where it is to be found on the machine."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    mount_point: str


class BootTimes(BaseModel):
    """Seconds from the launch at time scale 1; the defaults are for instances of older account files."""

    model_config = ConfigDict(frozen=True)

    address: float = 20.0
    ssh: float = 20.0
    active: float = 60.0


class InstanceRecord(Record):
    """An instance and what it was launched from."""

    name: str | None
    status: Status = Status.BOOTING
    region: str
    instance_type: str
    image_id: str
    image_family: str
    hostname: str | None
    ssh_key_names: list[str]
    authorized_keys: list[str]
    """The public keys in OpenSSH's one-line form, as they were at launch."""
    user_data: str | None
    tags: list[Tag]
    firewall_ruleset_ids: list[str]
    filesystems: list[MountedFilesystem] = []
    jupyter_token: str
    ip: str | None = None
    """Given in the course of the boot."""
    pending: Literal["start", "restart"] | None = "start"
    """What the machine still has to do; it is made up for when the emulator comes back."""
    boot_began: float
    has_launched: bool = False
    """It was up before, so a boot is a restart."""
    ended: float | None = None
    """When termination began."""
    boot_ends_in: Status | None = None
    """A fault: the state it turns into instead of getting an address; `booting` is for ever."""
    boot_times: BootTimes = BootTimes()
    preempted_after: float | None = None
    """A fault: seconds from `active` until it is taken away, at any time scale."""
    preempted_at: float | None = None
    disk_bytes: int | None = None
    """A fault: how much its disk holds."""
    hidden_until: float = 0.0
    """A fault: the API does not know it before."""
    extra_termination_seconds: float = 0.0
    """A fault: how much longer than usual its termination takes."""

    def is_hidden(self, now: float) -> bool:
        """Whether the API does not know it at the moment."""
        return now < self.hidden_until


class SshKeyRecord(Record):
    """A public key of the account; the name is unique."""

    name: str
    public_key: str


class FabricPartitionRecord(Record):
    """A partition of the compute fabric of one region."""

    name: str
    region: str
    workspace_id: str
    created: str
    """ISO 8601, UTC."""


class FilesystemRecord(Record):
    """A filesystem of one region; the name is unique in the account."""

    name: str
    region: str
    created: str
    """ISO 8601."""

    @property
    def mount_point(self) -> str:
        """Where a machine has it unless the launch says otherwise."""
        return f"/lambda/nfs/{self.name}"


class FirewallRule(BaseModel):
    """Something let in. `port_range` is [first, last], absent for icmp."""

    model_config = ConfigDict(frozen=True)

    protocol: Literal["tcp", "udp", "icmp", "all"]
    port_range: tuple[int, int] | None = None
    source_network: str
    description: str


class RulesetRecord(Record):
    """A firewall ruleset of one region."""

    name: str
    region: str
    rules: list[FirewallRule]
    created: str
    """ISO 8601."""


class GlobalRulesRecord(Record):
    """The rules that hold in every region; there is one such record."""

    id: str = "global"
    rules: list[FirewallRule]


OWNER = {"id": "3da5a70a57a7422ea8a7203f98b2198b", "email": "me@example.com", "status": "active"}
"""The one user of the account."""


class AuditRecord(Record):
    """Something that was done to the account with its API key; it is never changed."""

    time: datetime
    resource: str
    """The type of what it was done to, like `ssh_key`."""
    action: str
    resource_ids: list[str]
    details: dict[str, str]


class CapacityRecord(Record):
    """Where an instance type can be had, when it is not where it usually is. The id is the type's name."""

    regions: list[str]
    machines: dict[str, int] | None = None
    """How many there are in each region, those in use included; None for as many as wanted."""


class DriftRecord(Record):
    """Capacity that comes and goes; there is one such record, or none."""

    ID: ClassVar[str] = "drift"

    id: str = ID
    seed: int
    began: float


class QuotaRecord(Record):
    """The account's quotas; there is one such record, or none."""

    ID: ClassVar[str] = "quotas"

    id: str = ID
    limits: dict[str, int | None]


class LaunchCountRecord(Record):
    """How many launches the account has had; there is one such record, or none."""

    ID: ClassVar[str] = "launches"

    id: str = ID
    count: int


class PriceRecord(Record):
    """What an instance type costs, when it is not what it usually does. The id is the type's name."""

    price_cents_per_hour: int
