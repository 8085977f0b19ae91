"""A machine at Lambda."""

import itertools
from typing import Annotated, Any, ClassVar, NotRequired, TypedDict

import pulumi
from pulumi.dynamic import Resource
from pydantic import Field, StringConstraints, model_validator

from components.cloud.instance_end import end_instance
from components.cloud.launch import Candidate, LaunchOrder, launch
from components.cloud.models import LaunchRequest, Tag
from components.cloud.provider import Inputs, LambdaProvider, Made, Properties, canonical

TagKey = Annotated[str, StringConstraints(max_length=55, pattern=r"^[a-z][a-z0-9\-:]+$")]
TagValue = Annotated[str, StringConstraints(max_length=128)]
MOST_USER_DATA_BYTES = 1_000_000


class InstanceInputs(Inputs):
    """What is launched, checked. Lengths and patterns are those of Lambda Cloud API 1.10.0."""

    instance_types: list[str] = Field(min_length=1)
    regions: list[str] = Field(min_length=1)
    name: str = Field(max_length=64)
    ssh_key_name: str = Field(min_length=1, max_length=64)
    launch_token: str = Field(min_length=16)
    image_family: str | None = None
    image_id: str | None = None
    user_data: str | None = Field(default=None, max_length=MOST_USER_DATA_BYTES)
    firewall_rulesets: dict[str, str] = Field(default_factory=dict)
    tags: dict[TagKey, TagValue] = Field(default_factory=dict)
    max_price_cents_per_hour: int | None = Field(default=None, gt=0)
    capacity_timeout_seconds: int = Field(default=1800, ge=0)

    @model_validator(mode="after")
    def one_image(self) -> "InstanceInputs":
        """An image is named by its family, or by its id."""
        if (self.image_family is None) == (self.image_id is None):
            raise ValueError("give either image_family or image_id")
        return self

    def order(self) -> LaunchOrder:
        """The same as a launch order: each type is tried in each region, in order of preference."""
        candidates = tuple(Candidate(*pair) for pair in itertools.product(self.instance_types, self.regions))
        tags = [Tag(key=key, value=value) for key, value in self.tags.items()]
        template = LaunchRequest(
            instance_type_name=candidates[0].instance_type,
            region_name=candidates[0].region,
            ssh_key_names=[self.ssh_key_name],
            name=self.name,
            image={"id": self.image_id} if self.image_id else {"family": self.image_family or ""},
            user_data=self.user_data,
            tags=tags,
        )
        return LaunchOrder(
            candidates=candidates,
            template=template,
            rulesets=self.firewall_rulesets,
            token=self.launch_token,
            max_price_cents_per_hour=self.max_price_cents_per_hour,
            capacity_timeout_s=self.capacity_timeout_seconds,
        )


class InstanceProvider(LambdaProvider[InstanceInputs]):
    """Launches and gives the id at once; what comes later (the address, SSH) is `BootWait`'s."""

    inputs: ClassVar[type[Inputs]] = InstanceInputs
    updatable: ClassVar[frozenset[str]] = frozenset({"name"})
    secret_inputs: ClassVar[frozenset[str]] = frozenset({"user_data"})

    def make(self, inputs: InstanceInputs) -> Made:
        launched = launch(self.client, inputs.order())
        return Made(
            launched.instance_id,
            {
                "instance_type": launched.instance_type,
                "region": launched.region,
                "price_cents_per_hour": launched.price_cents_per_hour,
            },
        )

    def find(self, id_: str, state: Properties) -> Properties | None:
        instance = self.client.find_instance(id_)
        if instance is None or instance.is_over:
            return None
        return {"name": instance.name or ""}

    def change(self, id_: str, inputs: InstanceInputs, state: Properties) -> Properties:
        self.client.rename(id_, inputs.name)
        return {}

    def remove(self, id_: str, state: Properties) -> None:
        end_instance(self.client, id_)

    def keeps(self, name: str, state: Properties, inputs: Properties) -> bool:
        """Candidates, rulesets and limits of the launch matter to a machine only as far as it is one of them."""
        if name in {"max_price_cents_per_hour", "capacity_timeout_seconds"}:
            return True
        if pulumi.contains_unknowns(inputs.get(name)):
            return False
        if name in {"instance_types", "regions"}:
            return state.get(name.removesuffix("s")) in inputs[name]
        if name == "firewall_rulesets":
            region = state.get("region")
            old, new = ((source.get(name) or {}).get(region) for source in (state, inputs))
            return bool(canonical(old) == canonical(new))
        return False


class InstanceArgs(TypedDict):
    """Arguments of `Instance`."""

    instance_types: pulumi.Input[list[str]]
    """Acceptable types in order of preference, such as `gpu_1x_gh200`."""
    regions: pulumi.Input[list[str]]
    """Acceptable regions in order of preference; all regions of a type are tried before the next type."""
    name: pulumi.Input[str]
    """Up to 64 characters, need not be unique; changes in place."""
    ssh_key_name: pulumi.Input[str]
    """The API takes exactly one key."""
    launch_token: pulumi.Input[str]
    """Token of the `LaunchToken` that owns this launch."""
    image_family: NotRequired[pulumi.Input[str]]
    """Such as `lambda-stack-24-04`: the newest image of the family for the architecture."""
    image_id: NotRequired[pulumi.Input[str]]
    """One image instead of a family."""
    user_data: NotRequired[pulumi.Input[str]]
    """cloud-init text, at most 1 MB, treated as secret. It cannot be read back from the API."""
    firewall_rulesets: NotRequired[pulumi.Input[dict[str, pulumi.Input[str]]]]
    """Id of a ruleset by region; it can be attached at launch only."""
    tags: NotRequired[pulumi.Input[dict[str, str]]]
    """Keys of 2 to 55 characters `a-z0-9-:`, values up to 128."""
    max_price_cents_per_hour: NotRequired[pulumi.Input[int]]
    """Checked against the live price at launch."""
    capacity_timeout_seconds: NotRequired[pulumi.Input[int]]
    """How long to wait for capacity."""


class Instance(Resource, module="lambdacloud", name="Instance"):
    """A launched machine. Changing anything but the name replaces it, the old one ended first."""

    instance_type: pulumi.Output[str]
    region: pulumi.Output[str]
    price_cents_per_hour: pulumi.Output[int]
    """At the time of the launch."""

    def __init__(self, name: str, args: InstanceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        props: dict[str, Any] = {"instance_type": None, "region": None, "price_cents_per_hour": None, **args}
        if "user_data" in args:
            props["user_data"] = pulumi.Output.secret(args["user_data"])
        super().__init__(InstanceProvider(), name, props, opts)
