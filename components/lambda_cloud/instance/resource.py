"""A machine at Lambda."""

from typing import Any, NotRequired, TypedDict

import pulumi
from pulumi.dynamic import Resource

from components.dynamic.lazy_provider import LazyProvider
from components.lambda_cloud.launch_token.resource import LaunchToken

PROVIDER = LazyProvider("components.lambda_cloud.instance.provider:InstanceProvider")


class MountArgs(TypedDict):
    """A filesystem at a place of one's own choice."""

    filesystem_id: pulumi.Input[str]
    mount_point: pulumi.Input[str]
    """Below /home, /lambda/nfs or /data; up to 256 letters, digits, dashes and slashes."""


class InstanceArgs(TypedDict):
    """Arguments of `Instance`. All of them matter at the launch only, but the name."""

    instance_types: pulumi.Input[list[str]]
    """Acceptable types in order of preference, such as `gpu_1x_gh200`."""
    regions: pulumi.Input[list[str]]
    """Acceptable regions in order of preference; all regions of a type are tried before the next type."""
    name: pulumi.Input[str]
    """Up to 64 characters, need not be unique; changes in place."""
    ssh_key_name: pulumi.Input[str]
    """Name in the account, the output `name` of an `SshKey`. The API takes exactly one."""
    hostname: NotRequired[pulumi.Input[str]]
    """Up to 63 characters `a-z0-9-`; made from the address if unset."""
    image_family: NotRequired[pulumi.Input[str]]
    """Such as `lambda-stack-24-04`: the newest image of the family for the architecture."""
    image_id: NotRequired[pulumi.Input[str]]
    """One image instead of a family."""
    user_data: NotRequired[pulumi.Input[str]]
    """cloud-init text, at most 1 MB, kept as a secret and compared by its hash: it cannot be read back."""
    firewall_rulesets: NotRequired[pulumi.Input[dict[str, pulumi.Input[str]]]]
    """Id of a ruleset by region. Without one the account's global rules alone hold."""
    filesystem_names: NotRequired[pulumi.Input[list[pulumi.Input[str]]]]
    """Filesystems to mount at /lambda/nfs/NAME; only regions in which they lie can be candidates."""
    filesystem_mounts: NotRequired[pulumi.Input[list[MountArgs]]]
    """Filesystems to mount elsewhere."""
    tags: NotRequired[pulumi.Input[dict[str, str]]]
    """Keys of 2 to 55 characters `a-z0-9-:`, values up to 128."""
    max_price_cents_per_hour: NotRequired[pulumi.Input[int]]
    """US cents; checked against the live price at the launch."""
    capacity_timeout_seconds: NotRequired[pulumi.Input[int]]
    """How long to wait for capacity, 1800 if unset; 0 tries once."""
    obstacles: NotRequired[list[str]]
    """What is known to speak against a launch now, a line each. A machine that stays is not touched by it; a new one
    is refused, in the preview and before an old one is ended for it."""


HELD = ("ssh_key_name", "firewall_rulesets", "filesystem_names", "filesystem_mounts")
"""What a machine keeps in use: it has to be removed after every machine of the launch."""


class Instance(Resource, module="lambdacloud", name="Instance"):
    """A launched machine. Changing anything but the name replaces it, the old one ended first.

    It makes a `LaunchToken` of its own, by which whatever was launched is found again. Addresses and status are those
    of the last `pulumi refresh`; right after the launch there is none yet, so take the address from a `BootWait`.
    """

    instance_type: pulumi.Output[str]
    region: pulumi.Output[str]
    price_cents_per_hour: pulumi.Output[int]
    """At the time of the launch, or of the last refresh."""
    status: pulumi.Output[str]
    """`booting`, `active`, `unhealthy`, or what else Lambda says."""
    ip: pulumi.Output[str | None]
    private_ip: pulumi.Output[str | None]
    hostname: pulumi.Output[str | None]

    def __init__(self, name: str, args: InstanceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        token = LaunchToken(f"{name}-launch", _held(args), token_options(opts))
        computed = ("instance_type", "region", "price_cents_per_hour", "status", "ip", "private_ip", "hostname")
        props: dict[str, Any] = {**dict.fromkeys(computed), **args, "launch_token": token.token}
        if "user_data" in args:
            props["user_data"] = pulumi.Output.secret(args["user_data"])
        # Also where the engine replaces without asking, as with `pulumi up --replace`: a new machine made first would
        # be the old one, found by its token, and would be ended after.
        first = pulumi.ResourceOptions(delete_before_replace=True)
        super().__init__(
            PROVIDER,
            name,
            props,
            pulumi.ResourceOptions.merge(opts, first),
        )


def _held(args: InstanceArgs) -> pulumi.Output[list[str]]:
    """Names and ids of what the machine holds; what counts is that the token depends on them."""
    return pulumi.Output.all(*(args.get(name) for name in HELD)).apply(
        lambda values: sorted({text for value in values for text in _texts(value)})
    )


def _texts(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in _texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return [value] if isinstance(value, str) else []


def token_options(opts: pulumi.ResourceOptions | None) -> pulumi.ResourceOptions:
    """The options of a machine that its launch token shares: where it belongs, and whether it is kept or protected."""
    opts = opts or pulumi.ResourceOptions()
    aliases = opts.aliases if isinstance(opts.aliases, list) else []
    return pulumi.ResourceOptions(
        parent=opts.parent,
        depends_on=opts.depends_on,
        protect=opts.protect,
        # The end of the token would take away a machine that is meant to stay.
        retain_on_delete=opts.retain_on_delete,
        # Without them the token of a machine that moved in the program would be another, and the machine replaced.
        aliases=[_token_alias(alias) for alias in aliases if isinstance(alias, pulumi.Alias | str)],
    )


def _token_alias(alias: pulumi.Alias | str) -> pulumi.Alias | str:
    """Where the token was when the machine was there: beside it, by a name of its own."""
    if isinstance(alias, str):
        # urn:pulumi:STACK::PROJECT::PARENTS$TYPE::NAME, and the two types differ at their end alone.
        place, name = alias.rsplit("::", 1)
        return f"{place.removesuffix(Instance.__name__)}{LaunchToken.__name__}::{name}-launch"
    former = {part: value for part, value in vars(alias).items() if part != "type_"}
    if isinstance(alias.name, str):
        former["name"] = f"{alias.name}-launch"
    return pulumi.Alias(**former)
