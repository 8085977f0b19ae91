"""Entries of a stack in the account's global firewall rules, which hold for every machine in every region."""

from typing import TypedDict

import pulumi
from pulumi.dynamic import Resource

from components.dynamic.lazy_provider import LazyProvider
from components.lambda_cloud.firewall.resource import RuleArgs
from components.lambda_cloud.stack_mark.resource import stack_mark

PROVIDER = LazyProvider("components.lambda_cloud.global_rules.provider:GlobalFirewallRulesProvider")


class GlobalFirewallRulesArgs(TypedDict):
    """Arguments of `GlobalFirewallRules`."""

    rules: pulumi.Input[list[RuleArgs]]
    """Added to what the account has; together at most 20. They open every machine of the account: prefer rulesets."""


class GlobalFirewallRules(Resource, module="lambdacloud", name="GlobalFirewallRules"):
    """A stack's own entries in the account's global rules. One such resource a stack."""

    def __init__(self, name: str, args: GlobalFirewallRulesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(
            PROVIDER,
            name,
            {**args, "mark": stack_mark()},
            opts,
        )
