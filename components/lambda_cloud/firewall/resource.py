"""A firewall ruleset: what may reach the machines that were launched with it, besides the account's global rules."""

from typing import Any, NotRequired, TypedDict

import pulumi
from pulumi.dynamic import Resource

from components.dynamic.lazy_provider import LazyProvider
from components.lambda_cloud.prefixes import claim, default_prefix
from components.lambda_cloud.stack_mark.resource import MARK_LENGTH, stack_mark

PROVIDER = LazyProvider("components.lambda_cloud.firewall.provider:FirewallRulesetProvider")

LONGEST_PREFIX = 64 - 1 - MARK_LENGTH


class RuleArgs(TypedDict):
    """One rule."""

    protocol: pulumi.Input[str]
    """`tcp`, `udp`, `icmp` or `all`."""
    source_network: pulumi.Input[str]
    """IPv4 network in CIDR form; a bare address is /32."""
    port_range: NotRequired[pulumi.Input[list[int]]]
    """[first, last]; needed for all but icmp, which takes none."""
    description: NotRequired[pulumi.Input[str]]
    """Up to 128 characters."""


class FirewallRulesetArgs(TypedDict):
    """Arguments of `FirewallRuleset`."""

    region: pulumi.Input[str]
    """A ruleset belongs to one region and serves the instances there. Not us-south-1, which ignores rules."""
    rules: pulumi.Input[list[RuleArgs]]
    """At most 20, order does not matter. The account's global rules let in besides (SSH and ping, at first)."""
    name_prefix: NotRequired[pulumi.Input[str]]
    """Up to 55 characters; the name in the account is this and the stack's mark. Project, stack and resource if unset.
    Rulesets of one region need different ones."""
    asked: NotRequired[pulumi.Input[str]]
    """`revision` of a `ChangeMarker` for the rules: with another one they are written again, also where nothing else
    changed."""


class FirewallRuleset(Resource, module="lambdacloud", name="FirewallRuleset"):
    """A ruleset of one region. Attached to an instance at launch only; its rules can be changed at any time."""

    name: pulumi.Output[str]
    """The name in the account."""

    def __init__(self, name: str, args: FirewallRulesetArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        prefix = args.get("name_prefix") or default_prefix(name, LONGEST_PREFIX)
        claim("firewall ruleset", prefix, args["region"])
        props: dict[str, Any] = {"name": None, **args, "name_prefix": prefix, "mark": stack_mark()}
        super().__init__(PROVIDER, name, props, opts)
