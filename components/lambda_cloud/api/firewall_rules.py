"""Firewall rules: one form for each, so that two equal sets compare equal."""

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from components.dynamic.inputs import Part
from components.lambda_cloud.api.models import FirewallRule as RuleBody

MOST_RULES = 20
"""With more rules an instance may fail to launch, or rules stay without effect (Lambda's documentation, 2024)."""

SSH_PORT = 22


def canonical_cidr(text: str) -> str:
    """IPv4 network in one form, a bare address as /32. `ValueError` says what is wrong.

    With host bits set it is either the address or the network, and only who wrote it knows which.
    """
    try:
        written = ipaddress.IPv4Interface(text.strip())
    except ValueError:
        six = " (Lambda's firewall knows no IPv6)" if ":" in text else ""
        raise ValueError(f"{text!r} is not an IPv4 network such as 203.0.113.0/24{six}") from None
    if written.ip != written.network.network_address:
        raise ValueError(
            f"{text!r} has two readings: write {written.ip}/32 for that address, or {written.network} for its whole "
            "network"
        )
    return str(written.network)


Cidr = Annotated[str, AfterValidator(canonical_cidr)]
Port = Annotated[int, Field(ge=1, le=65535)]


def first_and_last(given: object) -> object:
    """`ValueError` for what is no pair, as a single port or a text."""
    if not isinstance(given, list | tuple) or len(given) != 2:
        raise ValueError("has to be [first, last], such as [8000, 8000] for one port")
    return given


class Rule(Part):
    """One thing that is let in, checked."""

    protocol: Literal["tcp", "udp", "icmp", "all"]
    port_range: Annotated[tuple[Port, Port], BeforeValidator(first_and_last)] | None = None
    source_network: Cidr
    description: str = Field(default="", max_length=128)

    @model_validator(mode="after")
    def ports_fit_the_protocol(self) -> "Rule":
        """icmp has no ports, the others need them (Lambda Cloud API 1.10.0)."""
        if self.protocol == "icmp" and self.port_range is not None:
            raise ValueError("a rule for icmp takes no port_range: leave it out")
        if self.protocol != "icmp" and self.port_range is None:
            raise ValueError(f"a rule for {self.protocol} needs a port_range, [first, last]")
        if self.port_range is not None and self.port_range[0] > self.port_range[1]:
            raise ValueError("port_range is [first, last], and the first is not above the last")
        return self


def in_order(rules: list[Rule]) -> list[Rule]:
    """Rules are a set; sorted and each once, two equal sets compare equal. `ValueError` when they are too many."""
    unique = {rule.model_dump_json(): rule for rule in rules}
    if len(unique) > MOST_RULES:
        raise ValueError(
            f"{len(unique)} rules are too many: with more than {MOST_RULES} instances may fail to launch, or rules "
            "stay without effect; join networks into larger ones"
        )
    return [unique[text] for text in sorted(unique)]


Rules = Annotated[list[Rule], AfterValidator(in_order)]


def bodies(rules: Iterable[Rule]) -> list[RuleBody]:
    """The rules in the API's form."""
    return [RuleBody(**rule.model_dump()) for rule in rules]


def as_found(rules: Sequence[RuleBody]) -> list[dict[str, Any]]:
    """Rules as the cloud has them, in the order and form of ours where they are such as ours can be."""
    try:
        ours = in_order([_as_ours(rule) for rule in rules])
    except ValueError:
        # Somebody made rules that ours cannot be, for IPv6 or too many: drift, to be shown and put right by `up`.
        return [rule.model_dump(mode="json", exclude_none=True) for rule in rules]
    return [rule.model_dump(mode="json", exclude_none=True) for rule in ours]


def _as_ours(rule: RuleBody) -> Rule:
    """`ValueError` for what ours can never be. Host bits are cleared: what it lets in is clear here."""
    network = str(ipaddress.IPv4Network(rule.source_network, strict=False))
    return Rule.model_validate({**rule.model_dump(), "source_network": network, "description": rule.description or ""})


def same_rules(some: Sequence[RuleBody], others: Sequence[RuleBody]) -> bool:
    """Whether two lists let in the same."""
    return as_found(some) == as_found(others)


def lets_ssh_in(rules: Iterable[RuleBody]) -> bool:
    """Whether anybody can reach SSH by these rules."""
    return any(
        rule.protocol in ("tcp", "all")
        and rule.port_range is not None
        and rule.port_range[0] <= SSH_PORT <= rule.port_range[1]
        for rule in rules
    )
