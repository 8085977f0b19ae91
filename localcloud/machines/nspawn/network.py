"""How a machine is reached: an address of its own behind a pair of virtual Ethernet devices.

Each address is routed by itself, so machines share no network on which they could meet without the firewall. The pair
goes when the machine's network namespace goes, and the route with it: a killed cloud leaves none.
"""

import contextlib
import hashlib
import json
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from localcloud.machines.errors import MachineError
from localcloud.machines.nspawn.tools import run

DEVICE_PREFIX = "lcm-"
"""Begins the name of this computer's end of every pair, of all local clouds."""

_RANGES = tuple(IPv4Network(text) for text in ("10.77.0.0/16", "10.177.0.0/16", "172.27.0.0/16", "100.99.0.0/16"))
"""Private (RFC 1918) or shared (RFC 6598); the first that this computer has no other route into is used."""
_USABLE = 250 * 254


def device_of(instance_id: str) -> str:
    """This computer's end; the kernel's names end at 15 letters."""
    return DEVICE_PREFIX + instance_id[:11]


def gateway_of(ip: str) -> str:
    """This computer's address as the machine sees it: the first one of the range, the same for all machines."""
    return str(IPv4Network(f"{ip}/16", strict=False).network_address + 1)


def addresses(root: Path) -> Iterator[int]:
    """Places in the range over and over, from one that depends on the root: two local clouds seldom meet so."""
    place = int.from_bytes(hashlib.sha256(str(root.absolute()).encode()).digest()[:4], "big")
    while True:
        place = (place + 1) % _USABLE
        # Not the first 256, of which one is the gateway, nor a network's first or last address.
        yield (place // 254 + 1) * 256 + place % 254 + 1


def next_address(places: Iterator[int], taken: set[str]) -> str:
    """A free address. Raises MachineError when there is none."""
    routes = _routes()
    network = _free_range(routes)
    in_use = {str(target.network_address) for target, _ in routes} | taken
    for _ in range(_USABLE):
        ip = str(network.network_address + next(places))
        if ip not in in_use:
            return ip
    raise MachineError(f"no address of {network} is free; terminate instances")


def connect(instance_id: str, ip: str, process_id: int) -> None:
    """Lay the pair between this computer and the network namespace of a process, and route the address to it. Blocks.

    Raises:
        MachineError: the address has been taken meanwhile.
    """
    device, gateway = device_of(instance_id), gateway_of(ip)
    disconnect(instance_id)
    run(["ip", "link", "add", device, "type", "veth", "peer", "name", "eth0", "netns", str(process_id)])
    # No IPv6: rules are for IPv4 only, and a link-local address would be a way around them.
    run(["ip", "link", "set", device, "addrgenmode", "none"])
    run(["ip", "address", "add", f"{gateway}/32", "dev", device])
    run(["ip", "link", "set", device, "up"])
    run(["ip", "route", "add", f"{ip}/32", "dev", device, "src", gateway])


def disconnect(instance_id: str) -> None:
    """Take the pair away; fine when it is gone already. The kernel takes it later by itself. Blocks."""
    with contextlib.suppress(MachineError):
        run(["ip", "link", "delete", device_of(instance_id)])


def _routes() -> list[tuple[IPv4Network, str]]:
    """Where this computer's routes lead: target and device, without the default route."""
    said = json.loads(run(["ip", "-json", "-4", "route", "show", "table", "all"]))
    return [(_network(one["dst"]), one.get("dev", "")) for one in said if one.get("dst", "default") != "default"]


def _network(text: str) -> IPv4Network:
    return IPv4Network(text) if "/" in text else IPv4Network(IPv4Address(text))


def _free_range(routes: Iterable[tuple[IPv4Network, str]]) -> IPv4Network:
    others = [target for target, device in routes if not device.startswith(DEVICE_PREFIX)]
    for network in _RANGES:
        if not any(network.overlaps(other) for other in others):
            return network
    raise MachineError(f"this computer has routes into all of {', '.join(map(str, _RANGES))}; remove one")
