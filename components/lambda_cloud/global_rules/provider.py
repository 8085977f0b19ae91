"""Edits a stack's entries of the account's global firewall rules, for `GlobalFirewallRules`."""

import secrets
from typing import Annotated, ClassVar

from pydantic import AfterValidator

from components.dynamic.inputs import Inputs, Properties
from components.dynamic.provider import Created
from components.lambda_cloud.api.firewall_rules import Rule, Rules, as_found, bodies
from components.lambda_cloud.api.names import Mark
from components.lambda_cloud.global_rules.edit import own_rules, put_own_rules, remove_own_rules
from components.lambda_cloud.removals import RemovalNotingProvider

LONGEST_DESCRIPTION = 128 - len(" [stack 01234567]")


def short_descriptions(rules: list[Rule]) -> list[Rule]:
    """`ValueError` when a description leaves no room for the stack's mark."""
    for rule in rules:
        if len(rule.description) > LONGEST_DESCRIPTION:
            raise ValueError(f"descriptions have up to {LONGEST_DESCRIPTION} characters here, the rest is the mark's")
    return rules


class GlobalFirewallRulesInputs(Inputs):
    """The entries of the stack."""

    rules: Annotated[Rules, AfterValidator(short_descriptions)]
    mark: Mark


class GlobalFirewallRulesProvider(RemovalNotingProvider[GlobalFirewallRulesInputs]):
    """Adds, edits and removes the stack's own entries; everybody else's stay as they are found."""

    inputs: ClassVar[type[Inputs]] = GlobalFirewallRulesInputs
    updatable: ClassVar[frozenset[str]] = frozenset({"rules"})

    def create_resource(self, inputs: GlobalFirewallRulesInputs) -> Created:
        put_own_rules(self.client, inputs.mark, bodies(inputs.rules))
        # Entries have no ids; one of our own tells those that were removed from those that were made again.
        return Created(f"global-{inputs.mark}-{secrets.token_hex(4)}")

    def read_resource(self, id_: str, state: Properties) -> Properties | None:
        return {"rules": as_found(own_rules(self.client.global_rules(), str(state["mark"])))}

    def update_resource(self, id_: str, inputs: GlobalFirewallRulesInputs, state: Properties) -> Properties:
        put_own_rules(self.client, inputs.mark, bodies(inputs.rules))
        return {}

    def delete_resource(self, id_: str, state: Properties) -> None:
        remove_own_rules(self.client, str(state["mark"]))
