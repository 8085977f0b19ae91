"""What the account holds, as it is kept on disk. Times are seconds since the epoch."""

from enum import StrEnum
from typing import Literal

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
    jupyter_token: str
    ip: str | None = None
    """Given in the course of the boot."""
    pending: Literal["start", "restart"] | None = "start"
    """What the machine still has to do; it is made up for when the emulator comes back."""
    boot_began: float
    ended: float | None = None
    """When termination began."""


class SshKeyRecord(Record):
    """A public key of the account; the name is unique."""

    name: str
    public_key: str


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


class CapacityRecord(Record):
    """Where an instance type can be had, when it is not where it usually is. The id is the type's name."""

    regions: list[str]
