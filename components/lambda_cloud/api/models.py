"""Lambda Cloud API 1.10.0, the part that is used here, as typed data.

Answers are read leniently: unknown fields are ignored, since Lambda adds some without raising the version.
Money is in US cents per hour, memory and storage in GiB, as the API has it.
"""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class Answer(BaseModel):
    """Base of everything the API answers with."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)


class InstanceStatus(StrEnum):
    """The states of an instance that the document names."""

    BOOTING = "booting"
    ACTIVE = "active"
    UNHEALTHY = "unhealthy"
    TERMINATING = "terminating"
    TERMINATED = "terminated"
    PREEMPTED = "preempted"


GONE = frozenset({InstanceStatus.TERMINATED, InstanceStatus.PREEMPTED})
"""States in which a machine exists no more and bills no more."""


REGIONS_WITHOUT_FIREWALL = frozenset({"us-south-1"})
"""Regions where rules have no effect, so that every port is open (Lambda's documentation)."""


class Region(Answer):
    """A place where instances run, such as `us-east-3`."""

    name: str
    description: str = ""


class Specs(Answer):
    """Size of an instance type."""

    vcpus: int
    memory_gib: int
    storage_gib: int
    gpus: int


class InstanceType(Answer):
    """What can be launched. `architecture` is missing from the document, present in live answers."""

    name: str
    description: str
    gpu_description: str = ""
    price_cents_per_hour: int
    specs: Specs
    architecture: str | None = None

    @property
    def image_architecture(self) -> str:
        """What `Image.architecture` has to be: the GH200 is Lambda's only arm64 machine, all else is x86_64."""
        return self.architecture or ("arm64" if "gh200" in self.name else "x86_64")


class Offer(Answer):
    """An instance type and the regions that say they have capacity now; a launch may be refused all the same."""

    instance_type: InstanceType
    regions_with_capacity_available: list[Region]

    def has_capacity_in(self, region: str) -> bool:
        """Whether that region is one of them."""
        return any(one.name == region for one in self.regions_with_capacity_available)


class Image(Answer):
    """A disk image in one region; the same id comes once for each region."""

    id: str
    family: str
    version: str
    architecture: str
    region: Region


class SshKey(Answer):
    """A public key registered with the account."""

    id: str
    name: str
    public_key: str


class Tag(BaseModel):
    """A label of an instance."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)

    key: str
    value: str


class FirewallRule(BaseModel):
    """One thing that is let in. `port_range` is [first, last], absent for icmp."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)

    protocol: str
    port_range: tuple[int, int] | None = None
    source_network: str
    description: str | None = None


class FirewallRuleset(Answer):
    """A set of rules of one region; it is attached to an instance at launch only."""

    id: str
    name: str
    region: Region
    rules: list[FirewallRule]
    instance_ids: list[str] = Field(default_factory=list)


class GlobalRules(Answer):
    """The firewall rules that hold for every instance of the account, in every region."""

    rules: list[FirewallRule]


class Filesystem(Answer):
    """A disk of one region that outlives the instances which mount it. `bytes_used` lags hours behind."""

    id: str
    name: str
    mount_point: str = ""
    region: Region
    is_in_use: bool = False
    bytes_used: int = 0


class Instance(Answer):
    """A machine. The addresses are absent until the boot has come far enough. Its Jupyter secrets are not read."""

    id: str
    name: str | None = None
    ip: str | None = None
    private_ip: str | None = None
    hostname: str | None = None
    status: str
    ssh_key_names: list[str] = Field(default_factory=list)
    region: Region
    instance_type: InstanceType
    tags: list[Tag] = Field(default_factory=list)

    @property
    def is_over(self) -> bool:
        """True when the machine has ended, or is about to: nothing can be done with it any more."""
        return self.status in GONE or self.status == InstanceStatus.TERMINATING

    def tag(self, key: str) -> str | None:
        """Value of a tag, None when the instance has no such tag."""
        return next((tag.value for tag in self.tags if tag.key == key), None)


class LaunchAnswer(Answer):
    """What a launch made: exactly one instance."""

    instance_ids: list[str] = Field(min_length=1)


class LaunchRequest(BaseModel):
    """Body of a launch. `image` is `{"id": …}` or `{"family": …}`."""

    model_config = ConfigDict(defer_build=True)

    region_name: str
    instance_type_name: str
    ssh_key_names: list[str]
    name: str
    image: dict[str, str]
    hostname: str | None = None
    user_data: str | None = None
    tags: list[Tag] = Field(default_factory=list)
    firewall_rulesets: list[dict[str, str]] = Field(default_factory=list)
    file_system_names: list[str] | None = None
    file_system_mounts: list[dict[str, str]] | None = None
    """`[{"mount_point": …, "file_system_id": …}]`."""
