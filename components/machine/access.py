"""Who may reach machines: the key to log in with, and the firewall of each region in which one may be launched."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components.dynamic.change_marker.resource import ChangeMarker
from components.lambda_cloud.firewall.resource import FirewallRuleset, RuleArgs
from components.lambda_cloud.ssh_key.resource import SshKey
from components.machine.key_pair.resource import KeyPair

ANYWHERE = "0.0.0.0/0"


@dataclass(frozen=True)
class AccessArgs:
    """What is let in, and where."""

    name: str
    """Up to 48 characters; names in the account are this with an ending of the stack's own."""
    regions: Sequence[str]
    ssh_port: int = 22
    open_port: int | None = None
    """TCP port to open to `allowed_cidrs`."""
    allowed_cidrs: Sequence[str] = ()
    """Who may reach the port; nobody by default."""


class Access:
    """Made once, for any number of machines."""

    def __init__(self, name: str, args: AccessArgs, parent: pulumi.Resource | None = None) -> None:
        own = pulumi.ResourceOptions(parent=parent)
        self.args = args
        self.key = KeyPair(f"{name}-key", {"comment": args.name}, own)
        self.ssh_key = SshKey(f"{name}-ssh-key", {"name_prefix": args.name, "public_key": self.key.public_key}, own)
        rules = firewall_rules(args.ssh_port, args.open_port, args.allowed_cidrs)
        # A port that was opened for a moment is not left open by an `up` that was killed in that moment.
        asked = ChangeMarker(f"{name}-firewall-change", rules, own)
        self.rulesets = {
            region: FirewallRuleset(
                f"{name}-firewall-{region}",
                {"name_prefix": args.name, "region": region, "rules": rules, "asked": asked.revision},
                own,
            )
            for region in args.regions
        }


def firewall_rules(ssh_port: int, open_port: int | None, allowed_cidrs: Sequence[str]) -> list[RuleArgs]:
    """SSH from anywhere, since the one key is needed for it, and the port from the allowed networks."""
    rules: list[RuleArgs] = [
        {
            "protocol": "tcp",
            "port_range": [ssh_port, ssh_port],
            "source_network": ANYWHERE,
            "description": "SSH",
        }
    ]
    if open_port is not None:
        rules += [
            {
                "protocol": "tcp",
                "port_range": [open_port, open_port],
                "source_network": cidr,
                "description": "model server",
            }
            for cidr in allowed_cidrs
        ]
    return rules
