"""A firewall ruleset: what may reach the machines that were launched with it. Everything else is closed."""

import ipaddress
from typing import Annotated, Any, ClassVar, Literal, NotRequired, TypedDict

import pulumi
from pulumi.dynamic import Resource
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from components.cloud.errors import NotFoundError
from components.cloud.in_use import delete_when_free
from components.cloud.models import FirewallRule as RuleBody
from components.cloud.provider import Inputs, LambdaProvider, Made, Properties

MOST_RULES = 20
"""With more rules an instance may fail to launch, or rules stay without effect (Lambda's documentation, 2024)."""

REGIONS_WITHOUT_FIREWALL = frozenset({"us-south-1"})
"""Regions where rules have no effect, so that every port is open (Lambda's documentation)."""


def canonical_cidr(text: str) -> str:
    """IPv4 network in one form: host bits cleared, a bare address as /32. `ValueError` says what is wrong."""
    try:
        return str(ipaddress.IPv4Network(text.strip(), strict=False))
    except ValueError:
        raise ValueError(f"{text!r} is not an IPv4 network such as 203.0.113.0/24") from None


Cidr = Annotated[str, AfterValidator(canonical_cidr)]
Port = Annotated[int, Field(ge=1, le=65535)]


class Rule(BaseModel):
    """One thing that is let in, checked."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    protocol: Literal["tcp", "udp", "icmp", "all"]
    port_range: tuple[Port, Port] | None = None
    source_network: Cidr
    description: str = Field(default="", max_length=128)

    @model_validator(mode="after")
    def ports_fit_the_protocol(self) -> "Rule":
        """icmp has no ports, the others need them (Lambda Cloud API 1.10.0)."""
        if self.protocol == "icmp" and self.port_range is not None:
            raise ValueError("a rule for icmp takes no port_range")
        if self.protocol != "icmp" and self.port_range is None:
            raise ValueError(f"a rule for {self.protocol} needs a port_range")
        if self.port_range is not None and self.port_range[0] > self.port_range[1]:
            raise ValueError("port_range is [first, last]")
        return self


def in_order(rules: list[Rule]) -> list[Rule]:
    """Rules are a set; sorted, two equal sets compare equal."""
    return sorted(rules, key=lambda rule: rule.model_dump_json())


class FirewallRulesetInputs(Inputs):
    """A ruleset as the API takes it."""

    name: str = Field(min_length=1, max_length=64)
    region: str
    rules: Annotated[list[Rule], Field(max_length=MOST_RULES), AfterValidator(in_order)]

    def bodies(self) -> list[RuleBody]:
        """The rules in the API's form."""
        return [RuleBody(**rule.model_dump()) for rule in self.rules]


class FirewallRulesetProvider(LambdaProvider[FirewallRulesetInputs]):
    """Creates a ruleset; rules and name change in place, within seconds and without touching the machines."""

    inputs: ClassVar[type[Inputs]] = FirewallRulesetInputs
    updatable: ClassVar[frozenset[str]] = frozenset({"name", "rules"})

    def make(self, inputs: FirewallRulesetInputs) -> Made:
        client = self.client
        # An update that was killed may have made it; the name is the stack's own.
        for ruleset in client.rulesets():
            if ruleset.name == inputs.name and ruleset.region.name == inputs.region:
                client.change_ruleset(ruleset.id, inputs.name, inputs.bodies())
                return Made(ruleset.id)
        return Made(client.add_ruleset(inputs.name, inputs.region, inputs.bodies()).id)

    def find(self, id_: str, state: Properties) -> Properties | None:
        try:
            ruleset = self.client.ruleset(id_)
        except NotFoundError:
            return None
        return {"name": ruleset.name, "rules": as_found(ruleset.rules)}

    def change(self, id_: str, inputs: FirewallRulesetInputs, state: Properties) -> Properties:
        self.client.change_ruleset(id_, inputs.name, inputs.bodies())
        return {}

    def remove(self, id_: str, state: Properties) -> None:
        client = self.client
        delete_when_free(client, f"firewall ruleset {state.get('name', id_)}", lambda: client.delete_ruleset(id_))


def as_found(rules: list[RuleBody]) -> list[dict[str, Any]]:
    """Rules as the cloud has them, in the order and form of ours where they are such as ours can be."""
    try:
        ours = in_order([Rule.model_validate({**r.model_dump(), "description": r.description or ""}) for r in rules])
    except ValidationError:
        # Somebody made a rule that is none of ours, such as one for IPv6: drift, to be shown and put right by `up`.
        return [rule.model_dump(mode="json", exclude_none=True) for rule in rules]
    return [rule.model_dump(mode="json", exclude_none=True) for rule in ours]


class RuleArgs(TypedDict):
    """One rule."""

    protocol: pulumi.Input[str]
    """`tcp`, `udp`, `icmp` or `all`."""
    source_network: pulumi.Input[str]
    """IPv4 network in CIDR form; a bare address is /32."""
    port_range: NotRequired[pulumi.Input[list[int]]]
    """[first, last]; needed for all but icmp, which takes none."""
    description: NotRequired[pulumi.Input[str]]


class FirewallRulesetArgs(TypedDict):
    """Arguments of `FirewallRuleset`."""

    name: pulumi.Input[str]
    region: pulumi.Input[str]
    """A ruleset belongs to one region and serves the instances there."""
    rules: pulumi.Input[list[RuleArgs]]
    """At most 20, order does not matter."""


class FirewallRuleset(Resource, module="lambdacloud", name="FirewallRuleset"):
    """A ruleset of one region."""

    def __init__(self, name: str, args: FirewallRulesetArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        props: dict[str, Any] = {**args}
        super().__init__(FirewallRulesetProvider(), name, props, opts)
