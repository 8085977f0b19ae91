"""How SSH knows a machine."""


def known_hosts_line(ip: str, port: int, public_host_key: str) -> str:
    """The machine as a line of a `known_hosts` file."""
    place = ip if port == 22 else f"[{ip}]:{port}"
    return " ".join([place, *public_host_key.split()[:2]])
