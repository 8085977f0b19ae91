"""Editing the account's global firewall rules, which everybody behind the account shares.

Only entries that bear the stack's mark at the end of their description are ever touched; all others are sent back as
they were found. A change that would take away the last rule that lets SSH in is not made: it would lock everybody out
of every machine (nothing on Lambda's side prevents that).
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from components.lambda_cloud.api.errors import CloudError
from components.lambda_cloud.api.firewall_rules import MOST_RULES, lets_ssh_in, same_rules
from components.lambda_cloud.api.models import FirewallRule
from components.lambda_cloud.settle import settle

if TYPE_CHECKING:
    from components.lambda_cloud.api.client import LambdaClient


class LastSshRuleError(CloudError):
    """The change would close SSH for the whole account."""


def marked(rule: FirewallRule, mark: str) -> FirewallRule:
    """The rule as one of the stack's own."""
    return rule.model_copy(update={"description": f"{rule.description or ''} {_label(mark)}".strip()})


def own_rules(rules: Sequence[FirewallRule], mark: str) -> list[FirewallRule]:
    """The stack's own among the rules, without their mark."""
    return [
        rule.model_copy(update={"description": (rule.description or "").removesuffix(_label(mark)).rstrip()})
        for rule in rules
        if _is_own(rule, mark)
    ]


def put_own_rules(client: "LambdaClient", mark: str, rules: Sequence[FirewallRule]) -> None:
    """Have exactly these rules as the stack's own, besides all others."""
    mine = [marked(rule, mark) for rule in rules]

    def wanted(found: Sequence[FirewallRule]) -> list[FirewallRule]:
        whole = _others(found, mark) + mine
        if len(whole) > MOST_RULES:
            raise CloudError(
                f"the account's global firewall rules would be {len(whole)}, and with more than {MOST_RULES} instances "
                "may fail to launch: put the rules into rulesets instead"
            )
        if lets_ssh_in(found) and not lets_ssh_in(whole):
            raise LastSshRuleError(
                "this would take away the last global firewall rule that lets SSH in, for every machine of the "
                "account: add another rule for tcp port 22 first"
            )
        return whole

    _edit(client, mark, wanted, mine)


def remove_own_rules(client: "LambdaClient", mark: str) -> None:
    """Take the stack's own rules away; what alone lets SSH in is left, and is no more the stack's."""

    def wanted(found: Sequence[FirewallRule]) -> list[FirewallRule]:
        others = _others(found, mark)
        if lets_ssh_in(found) and not lets_ssh_in(others):
            print("left a global firewall rule of this stack in place: it is the last one that lets SSH in")
            others += [rule for rule in own_rules(found, mark) if lets_ssh_in([rule])]
        return others

    _edit(client, mark, wanted, [])


def _edit(
    client: "LambdaClient",
    mark: str,
    wanted: Callable[[Sequence[FirewallRule]], list[FirewallRule]],
    mine: Sequence[FirewallRule],
) -> None:
    """Read, change, write; what the others have is read anew for every attempt."""

    def write() -> bool:
        found = client.global_rules()
        whole = wanted(found)
        if not same_rules(found, whole):
            client.replace_global_rules(whole)
        return True

    def is_done() -> bool | None:
        own = [rule for rule in client.global_rules() if _is_own(rule, mark)]
        return same_rules(own, mine) or None

    settle(client, "change the global firewall rules", write, is_done)


def _others(rules: Sequence[FirewallRule], mark: str) -> list[FirewallRule]:
    return [rule for rule in rules if not _is_own(rule, mark)]


def _label(mark: str) -> str:
    return f"[stack {mark}]"


def _is_own(rule: FirewallRule, mark: str) -> bool:
    return (rule.description or "").endswith(_label(mark))
