"""What reaches a machine: its rules as nftables, in this computer's network namespace and out of the machine's hands.

Each local cloud has one table. It sees packets after routing, so those that this computer sends itself and those of
other machines pass it like those from outside. An address that is in the table is closed but for its rules.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from localcloud.account.records import FirewallRule
from localcloud.machines.errors import MachineError
from localcloud.machines.nspawn.network import DEVICE_PREFIX
from localcloud.machines.nspawn.tools import run

TABLE_PREFIX = "localcloud_"
"""Begins the name of every local cloud's table."""

_SHARED = Path("/run/localcloud-nspawn")
"""Of all local clouds on this computer: a lock, and a note that forwarding was off before the first of them."""
_FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")


class Firewall:
    """The table of the local cloud whose machines are below `root`. Every method blocks."""

    def __init__(self, root: Path) -> None:
        self.table = TABLE_PREFIX + hashlib.sha256(str(root.absolute()).encode()).hexdigest()[:12]

    def put(self, ip: str, rules: Sequence[FirewallRule]) -> None:
        """Let in to an address what the rules say from now on, and let its machine out. Connections that exist stay."""
        with _shared_lock():
            run(["nft", "--file", "-"], put_script(self.table, ip, rules))
            _forward()

    def drop(self, ip: str) -> None:
        """Forget an address; the table goes with the last one."""
        with _shared_lock():
            if self.table not in _tables():
                return
            run(["nft", "--file", "-"], drop_script(self.table, ip))
            if not self._addresses():
                run(["nft", "delete", "table", "inet", self.table])
            if not any(table.startswith(TABLE_PREFIX) for table in _tables()):
                _stop_forwarding()

    def _addresses(self) -> list[str]:
        said = json.loads(run(["nft", "-json", "list", "set", "inet", self.table, "addresses"]))
        return [one for entry in said["nftables"] for one in entry.get("set", {}).get("elem", [])]


def put_script(table: str, ip: str, rules: Sequence[FirewallRule]) -> str:
    """One transaction that replaces what an address lets in."""
    chain = _chain(ip)
    lines = [
        f"add table inet {table}",
        f"add map inet {table} machines {{ type ipv4_addr : verdict; }}",
        f"add set inet {table} addresses {{ type ipv4_addr; }}",
        f"add chain inet {table} to_machines {{ type filter hook postrouting priority filter; policy accept; }}",
        f"flush chain inet {table} to_machines",
        f"add rule inet {table} to_machines ct state established,related accept",
        f"add rule inet {table} to_machines ip daddr vmap @machines",
        f"add chain inet {table} from_machines {{ type nat hook postrouting priority srcnat; policy accept; }}",
        f"flush chain inet {table} from_machines",
        f'add rule inet {table} from_machines ip saddr @addresses oifname != "{DEVICE_PREFIX}*" masquerade',
        f"add chain inet {table} {chain}",
        f"flush chain inet {table} {chain}",
        *(f"add rule inet {table} {chain} {match} accept" for rule in rules for match in _matches(rule)),
        f"add rule inet {table} {chain} drop",
        f"add element inet {table} machines {{ {ip} : goto {chain} }}",
        f"add element inet {table} addresses {{ {ip} }}",
    ]
    return "\n".join(lines) + "\n"


def drop_script(table: str, ip: str) -> str:
    """One transaction that forgets an address, whether it is known or not: what is deleted is added before."""
    chain = _chain(ip)
    lines = [
        f"add chain inet {table} {chain}",
        f"add element inet {table} machines {{ {ip} : goto {chain} }}",
        f"delete element inet {table} machines {{ {ip} }}",
        f"add element inet {table} addresses {{ {ip} }}",
        f"delete element inet {table} addresses {{ {ip} }}",
        f"flush chain inet {table} {chain}",
        f"delete chain inet {table} {chain}",
    ]
    return "\n".join(lines) + "\n"


def _chain(ip: str) -> str:
    return "to_" + ip.replace(".", "_")


def _matches(rule: FirewallRule) -> Iterator[str]:
    """What a rule lets in. That `all` with ports has every protocol without ports too is an assumption."""
    source = f"ip saddr {rule.source_network}"
    if rule.protocol == "icmp" or rule.port_range is None:
        yield f"{source} ip protocol icmp"
        return
    first, last = rule.port_range
    if rule.protocol == "all":
        yield f"{source} meta l4proto {{ tcp, udp }} th dport {first}-{last}"
        yield f"{source} meta l4proto != {{ tcp, udp }}"
    else:
        yield f"{source} {rule.protocol} dport {first}-{last}"


def _tables() -> list[str]:
    said = json.loads(run(["nft", "-json", "list", "tables"]))
    return [entry["table"]["name"] for entry in said["nftables"] if "table" in entry]


def _forward() -> None:
    """Let this computer pass packets on, which the machines' way out needs."""
    try:
        if _FORWARDING.read_text().strip() == "0":
            (_SHARED / "forwarding-was-off").touch()
            _FORWARDING.write_text("1")
    except OSError as error:
        raise MachineError(f"{_FORWARDING} cannot be set to 1 ({error.strerror}); set it by hand") from error


def _stop_forwarding() -> None:
    note = _SHARED / "forwarding-was-off"
    if note.exists():
        _FORWARDING.write_text("0")
        note.unlink()


@contextmanager
def _shared_lock() -> Iterator[None]:
    """Keep two local clouds from switching forwarding at once; the kernel lets go even after a kill."""
    _SHARED.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(_SHARED / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
