"""How SSH knows a machine."""


def known_hosts_line(ip: str, port: int, public_host_key: str) -> str:
    """The machine as a line of a `known_hosts` file."""
    place = ip if port == 22 else f"[{ip}]:{port}"
    return " ".join([place, *public_host_key.split()[:2]])


def read_known_hosts_line(line: str) -> tuple[str, int, str]:
    """Address, port and public host key of a machine, from its line.

    Raises:
        ValueError: it is no such line.
    """
    place, kind, key = line.split()
    ip, _, port = place.removeprefix("[").partition("]:")
    return ip, int(port or 22), f"{kind} {key}"
