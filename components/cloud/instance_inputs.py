"""What an instance is launched from, checked. Lengths and patterns are those of Lambda Cloud API 1.10.0."""

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from components.cloud.candidates import Candidate
from components.cloud.checking import Part
from components.cloud.filesystem import FilesystemName
from components.cloud.launch_order import ORDER_TAG, TOKEN_TAG, LaunchOrder
from components.cloud.models import LaunchRequest, Tag
from components.cloud.names import RegionName, TypeName
from components.cloud.provider import Inputs

MOST_USER_DATA_BYTES = 1_000_000
RESERVED_TAG_PREFIX = "lambda-ai-"
"""Tag keys that Lambda refuses (two clients that read its document of September 2026)."""


def free_tag_key(key: str) -> str:
    """`ValueError` for a key that has an owner: Lambda, or the marks by which a launch is found again."""
    if key in (TOKEN_TAG, ORDER_TAG) or key.startswith(RESERVED_TAG_PREFIX):
        raise ValueError(f"the key {key} is reserved")
    return key


def one_name(given: object) -> object:
    """`ValueError` for a list, with the reason."""
    if isinstance(given, list | tuple):
        raise ValueError("Lambda takes exactly one SSH key; put further public keys into user_data")
    return given


def small_enough(text: str) -> str:
    """`ValueError` for user data that the API would refuse; it counts bytes."""
    if len(text.encode()) > MOST_USER_DATA_BYTES:
        raise ValueError(f"{len(text.encode())} bytes of user data are too many: Lambda takes {MOST_USER_DATA_BYTES}")
    return text


TagKey = Annotated[
    str, StringConstraints(min_length=2, max_length=55, pattern=r"^[a-z][a-z0-9\-:]+$"), AfterValidator(free_tag_key)
]
TagValue = Annotated[str, StringConstraints(max_length=128)]
ImageFamily = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]*$", max_length=128)]
ImageId = Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}$")]


class Mount(Part):
    """Where a filesystem is to be found on the machine."""

    filesystem_id: str
    mount_point: Annotated[
        str, StringConstraints(max_length=256, pattern=r"^(/home|/lambda/nfs|/data)(/[a-zA-Z0-9-]+)*/?$")
    ]


class InstanceInputs(Inputs):
    """What is launched, and how hard it is tried."""

    instance_types: list[TypeName] = Field(min_length=1)
    regions: list[RegionName] = Field(min_length=1)
    name: str = Field(max_length=64)
    hostname: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][0-9a-z-]{0,62}$")] | None = None
    ssh_key_name: Annotated[str, BeforeValidator(one_name), StringConstraints(min_length=1, max_length=64)]
    launch_token: str = Field(min_length=16)
    image_family: ImageFamily | None = None
    image_id: ImageId | None = None
    user_data: Annotated[str, AfterValidator(small_enough)] | None = None
    firewall_rulesets: dict[RegionName, str] = Field(default_factory=dict)
    filesystem_names: list[FilesystemName] = Field(default_factory=list)
    filesystem_mounts: list[Mount] = Field(default_factory=list)
    tags: dict[TagKey, TagValue] = Field(default_factory=dict)
    max_price_cents_per_hour: int | None = Field(default=None, gt=0)
    capacity_timeout_seconds: int = Field(default=1800, ge=0)

    @classmethod
    def conflicts(cls, given: Mapping[str, Any]) -> Iterator[str]:
        """An image is named by its family or by its id, and nothing is mounted twice."""
        if (given.get("image_family") is None) == (given.get("image_id") is None):
            yield "give either image_family or image_id"
        for name in ("instance_types", "regions", "filesystem_names"):
            yield from (f"{name}: {twice} is named twice" for twice in _twice(given.get(name)))
        mounts = given.get("filesystem_mounts")
        points = [m.get("mount_point") for m in mounts if isinstance(m, dict)] if isinstance(mounts, list) else []
        yield from (f"filesystem_mounts: {twice} is a mount point twice" for twice in _twice(points))

    def order(self) -> LaunchOrder:
        """The same as a launch order: each type is tried in each region, in order of preference."""
        candidates = tuple(Candidate(*pair) for pair in itertools.product(self.instance_types, self.regions))
        template = LaunchRequest(
            instance_type_name=candidates[0].instance_type,
            region_name=candidates[0].region,
            ssh_key_names=[self.ssh_key_name],
            name=self.name,
            hostname=self.hostname,
            image={"id": self.image_id} if self.image_id else {"family": self.image_family or ""},
            user_data=self.user_data,
            tags=[Tag(key=key, value=value) for key, value in self.tags.items()],
            file_system_names=self.filesystem_names or None,
            file_system_mounts=[
                {"mount_point": mount.mount_point, "file_system_id": mount.filesystem_id}
                for mount in self.filesystem_mounts
            ]
            or None,
        )
        return LaunchOrder(
            candidates=candidates,
            template=template,
            rulesets=self.firewall_rulesets,
            token=self.launch_token,
            max_price_cents_per_hour=self.max_price_cents_per_hour,
            capacity_timeout_s=self.capacity_timeout_seconds,
        )


def _twice(values: object) -> list[str]:
    texts = [value for value in values if isinstance(value, str)] if isinstance(values, list) else []
    return [text for text, count in Counter(texts).items() if count > 1]
