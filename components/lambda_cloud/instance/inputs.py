"""What an instance is launched from, checked. Lengths and patterns are those of Lambda Cloud API 1.10.0."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from components.dynamic.inputs import Inputs, Part, written
from components.lambda_cloud.api.models import LaunchRequest, Tag
from components.lambda_cloud.api.names import FilesystemName, ObjectId, RegionName, TagKey, TagValue, TypeName
from components.lambda_cloud.instance.candidates import each_in_each, image_words
from components.lambda_cloud.instance.launch_order import LaunchOrder

MOST_USER_DATA_BYTES = 1_000_000
MOST_MOUNT_POINT = 256


def one_name(given: object) -> object:
    """`ValueError` for a list, with the reason."""
    if isinstance(given, list | tuple):
        raise ValueError("Lambda takes exactly one SSH key; put further public keys into user_data")
    if given == "":
        raise ValueError("has to be the name of an SSH key of the account, 1 to 64 characters: Lambda needs one")
    return given


def small_enough(text: str) -> str:
    """`ValueError` for user data that the API would refuse; it counts bytes."""
    if len(text.encode()) > MOST_USER_DATA_BYTES:
        raise ValueError(f"{len(text.encode())} bytes of user data are too many: Lambda takes {MOST_USER_DATA_BYTES}")
    return text


ImageFamily = Annotated[str, written(r"[a-z0-9][a-z0-9.-]{0,127}", "an image family such as lambda-stack-24-04")]
ImageId = Annotated[
    str,
    written(
        r"[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}",
        "the id of an image, 32 hexadecimal digits with or without dashes; a name such as lambda-stack-24-04 is an "
        "image_family",
    ),
]
Hostname = Annotated[str, written(r"[a-z0-9][0-9a-z-]{0,62}", "1 to 63 characters a-z, 0-9 and -, no dash first")]
MountPoint = Annotated[
    str,
    StringConstraints(max_length=MOST_MOUNT_POINT),
    written(
        r"(/home|/lambda/nfs|/data)(/[a-zA-Z0-9-]+)*/?",
        "/home, /lambda/nfs or /data, or a folder below one of them, of letters, digits, dashes and slashes",
    ),
]


class Mount(Part):
    """Where a filesystem is to be found on the machine."""

    filesystem_id: ObjectId
    mount_point: MountPoint


class InstanceInputs(Inputs):
    """What is launched, and how hard it is tried."""

    instance_types: list[TypeName] = Field(min_length=1)
    regions: list[RegionName] = Field(min_length=1)
    name: str = Field(max_length=64)
    hostname: Hostname | None = None
    ssh_key_name: Annotated[str, StringConstraints(max_length=64), BeforeValidator(one_name)]
    launch_token: str = Field(min_length=16)
    image_family: ImageFamily | None = None
    image_id: ImageId | None = None
    user_data: Annotated[str, AfterValidator(small_enough)] | None = None
    firewall_rulesets: dict[RegionName, ObjectId] = Field(default_factory=dict)
    filesystem_names: list[FilesystemName] = Field(default_factory=list)
    filesystem_mounts: list[Mount] = Field(default_factory=list)
    tags: dict[TagKey, TagValue] = Field(default_factory=dict)
    max_price_cents_per_hour: int | None = Field(default=None, gt=0)
    capacity_timeout_seconds: int = Field(default=1800, ge=0)
    obstacles: list[str] = Field(default_factory=list)

    @classmethod
    def conflicts(cls, given: Mapping[str, Any]) -> Iterator[str]:
        """An image is named by its family or by its id, and nothing is mounted twice."""
        if (given.get("image_family") is None) == (given.get("image_id") is None):
            yield "give either image_family or image_id"
        for name in ("instance_types", "regions", "filesystem_names"):
            yield from (f"{name}: {twice} is named twice" for twice in _twice(given.get(name)))
        mounts = given.get("filesystem_mounts")
        points = (
            [_place(m.get("mount_point")) for m in mounts if isinstance(m, dict)] if isinstance(mounts, list) else []
        )
        yield from (f"filesystem_mounts: {twice} is a mount point twice" for twice in _twice(points))

    def order(self) -> LaunchOrder:
        """The same as a launch order: each type is tried in each region, in order of preference."""
        candidates = each_in_each(self.instance_types, self.regions)
        template = LaunchRequest(
            instance_type_name=candidates[0].instance_type,
            region_name=candidates[0].region,
            ssh_key_names=[self.ssh_key_name],
            name=self.name,
            hostname=self.hostname,
            image=image_words(self.image_family, self.image_id),
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


def _place(mount_point: object) -> object:
    """A trailing slash makes no other place."""
    return (mount_point.rstrip("/") or mount_point) if isinstance(mount_point, str) else mount_point


def _twice(values: object) -> list[str]:
    texts = [value for value in values if isinstance(value, str)] if isinstance(values, list) else []
    return [text for text, count in Counter(texts).items() if count > 1]
