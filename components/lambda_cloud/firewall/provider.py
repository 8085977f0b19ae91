"""Creates, changes and deletes firewall rulesets, for `FirewallRuleset`."""

from typing import Annotated, ClassVar

from pydantic import AfterValidator

from components.dynamic.inputs import Inputs, Properties
from components.dynamic.provider import Created
from components.lambda_cloud.api.firewall_rules import Rules, as_found, bodies, same_rules
from components.lambda_cloud.api.models import REGIONS_WITHOUT_FIREWALL
from components.lambda_cloud.api.models import FirewallRuleset as RulesetAnswer
from components.lambda_cloud.api.names import Mark, RegionName, name_beginning
from components.lambda_cloud.api.shared_list import ANY
from components.lambda_cloud.firewall.resource import LONGEST_PREFIX
from components.lambda_cloud.fresh import is_fresh
from components.lambda_cloud.in_use import delete_when_free
from components.lambda_cloud.removals import RemovalNotingProvider
from components.lambda_cloud.settle import settle


def region_with_firewall(name: str) -> str:
    """`ValueError` for a region where a ruleset would be no protection at all."""
    if name in REGIONS_WITHOUT_FIREWALL:
        raise ValueError(f"{name} ignores firewall rules, so every port there is open to the world; choose another one")
    return name


class FirewallRulesetInputs(Inputs):
    """A ruleset as the API takes it."""

    name_prefix: Annotated[str, name_beginning(LONGEST_PREFIX)]
    mark: Mark
    region: Annotated[RegionName, AfterValidator(region_with_firewall)]
    rules: Rules
    asked: str = ""

    @property
    def name(self) -> str:
        """The name in the account, the stack's own."""
        return f"{self.name_prefix}-{self.mark}"


class FirewallRulesetProvider(RemovalNotingProvider[FirewallRulesetInputs]):
    """Creates a ruleset; rules and name change in place, within seconds and without touching the machines."""

    inputs: ClassVar[type[Inputs]] = FirewallRulesetInputs
    updatable: ClassVar[frozenset[str]] = frozenset({"name_prefix", "rules", "asked"})

    def create_resource(self, inputs: FirewallRulesetInputs) -> Created:
        client = self.client

        def mine(since: float | None = None) -> RulesetAnswer | None:
            there = client.rulesets(since)
            return next((r for r in there if r.name == inputs.name and r.region.name == inputs.region), None)

        # A run that was killed may have made it.
        earlier = None if is_fresh(inputs.mark) else mine(ANY)
        made = earlier or settle(
            client,
            f"create firewall ruleset {inputs.name}",
            lambda: client.add_ruleset(inputs.name, inputs.region, bodies(inputs.rules)),
            mine,
        )
        if not same_rules(made.rules, bodies(inputs.rules)):
            self.update_resource(made.id, inputs, {})
        return Created(made.id, {"name": inputs.name})

    def read_resource(self, id_: str, state: Properties) -> Properties | None:
        ruleset = next((one for one in self.client.rulesets(self.client.recently()) if one.id == id_), None)
        if ruleset is None:
            return None
        mark = state.get("mark", "")
        # A ruleset renamed by hand shows as another prefix, which is how the next `diff` sees it.
        prefix = ruleset.name.removesuffix(f"-{mark}") if ruleset.name.endswith(f"-{mark}") else ruleset.name
        return {"name": ruleset.name, "name_prefix": prefix, "rules": as_found(ruleset.rules)}

    def update_resource(self, id_: str, inputs: FirewallRulesetInputs, state: Properties) -> Properties:
        client = self.client
        wanted = bodies(inputs.rules)

        def changed() -> RulesetAnswer | None:
            there = next((one for one in client.rulesets() if one.id == id_), None)
            return there if there and there.name == inputs.name and same_rules(there.rules, wanted) else None

        settle(
            client,
            f"change firewall ruleset {inputs.name}",
            lambda: client.change_ruleset(id_, inputs.name, wanted),
            changed,
        )
        return {"name": inputs.name}

    def delete_resource(self, id_: str, state: Properties) -> None:
        client = self.client
        delete_when_free(client, f"firewall ruleset {state.get('name', id_)}", lambda: client.delete_ruleset(id_))
