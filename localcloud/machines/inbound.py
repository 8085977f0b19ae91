"""Which firewall rules hold for an instance."""

from localcloud.account.records import FirewallRule, InstanceRecord
from localcloud.account.store import GLOBAL_RULES, Store

EXEMPT_REGIONS = frozenset({"us-south-1"})
"""Where the account's rules do not hold (Lambda's documentation of firewalls)."""


def inbound_rules(store: Store, instance: InstanceRecord) -> tuple[FirewallRule, ...]:
    """All that an instance lets in: the rules of every region and those of its rulesets, which add to each other.

    In a region that is exempt it is what a new account lets in; that nothing else is open there is an assumption.
    """
    if instance.region in EXEMPT_REGIONS:
        return tuple(GLOBAL_RULES.rules)
    rulesets = [store.rulesets.get(ruleset_id) for ruleset_id in instance.firewall_ruleset_ids]
    return (*store.global_rules, *(rule for ruleset in rulesets if ruleset for rule in ruleset.rules))
