"""No machines at all: the API alone, for tests of what is about the API and for scale."""

import secrets
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network

from localcloud.account.records import FirewallRule
from localcloud.machines.base import MachineSpec

NOWHERE = IPv4Network("198.18.0.0/15")
"""Set aside for benchmarks by RFC 2544: nothing on any network answers there."""


class NoMachines:
    """Says yes to everything and does nothing; addresses lead nowhere."""

    kind = "none"
    ssh_port = 22

    def allocate_ip(self, taken: set[str]) -> str:
        """A random address outside `taken`, as Lambda gives a new one to each instance."""
        while True:
            ip = str(IPv4Address(int(NOWHERE.network_address) + 1 + secrets.randbelow(NOWHERE.num_addresses - 2)))
            if ip not in taken:
                return ip

    async def start(self, spec: MachineSpec) -> None:
        """There is nothing to start."""

    async def resume(self, spec: MachineSpec) -> None:
        """There is nothing to resume."""

    async def restart(self, spec: MachineSpec) -> None:
        """There is nothing to restart."""

    async def firewall(self, instance_id: str, ip: str, rules: Sequence[FirewallRule]) -> None:
        """There is no firewall."""

    async def destroy(self, instance_id: str) -> None:
        """There is nothing to destroy."""

    async def close(self) -> None:
        """There is nothing to close."""
