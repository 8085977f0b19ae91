"""What `allowedCidrs` opens, and what it does not, for the user to read before it is so."""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network, collapse_addresses, ip_address
from urllib.parse import urlsplit

from components.settings.settings import Settings

WIDEST_PREFIX = 8
"""Bits. A /8 is the most that one organisation was ever given; what is wider lets strangers in."""

NOT_ON_THE_INTERNET = tuple(
    IPv4Network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/3"),
    )
)
"""Nothing comes from there over the internet (IANA's registry of special-purpose IPv4 addresses, and multicast)."""

OF_DOCUMENTATION = tuple(map(IPv4Network, ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")))
"""RFC 5737."""


def exposure(settings: Settings) -> list[str]:
    """Warnings, a line each: a port that is open to strangers, and networks that open nothing."""
    networks = [IPv4Network(text) for text in settings.allowed_cidrs]
    lines = [*_wide(networks, settings), *_needless(networks)]
    if not is_of_this_computer(settings.api_url):
        lines += _useless(networks)
    return [f"allowedCidrs: {line}" for line in lines]


def is_of_this_computer(url: str) -> bool:
    """Whether a cloud runs here, whose machines see the addresses of this computer."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _wide(networks: Sequence[IPv4Network], settings: Settings) -> Iterator[str]:
    in_the_clear = "; tls is off, so the key itself crosses it in the clear" if settings.tls == "off" else ""
    for joined in collapse_addresses(networks):
        if joined.prefixlen >= WIDEST_PREFIX or _is_not_on_the_internet(joined):
            continue
        parts = [one for one in dict.fromkeys(networks) if one.subnet_of(joined) and not _within(one, networks)]
        named = " and ".join(map(str, parts))
        who = f"with {named} the whole internet may reach"
        if joined.prefixlen:
            share = f"{100 * joined.num_addresses / 2**32:.3g} % of the internet"
            who = f"{named} lets in {joined.num_addresses:,} addresses, {share}, to"
        yield f"{who} port {settings.port}, and the key is all that protects the model{in_the_clear}"


def _useless(networks: Sequence[IPv4Network]) -> Iterator[str]:
    for one in dict.fromkeys(networks):
        if any(one.subnet_of(example) for example in OF_DOCUMENTATION):
            yield f"{one} lets nobody in: it stands in documentation as an example; name the public address of yours"
        elif _is_not_on_the_internet(one):
            yield (
                f"{one} lets nobody in: nothing comes from there over the internet, and Lambda's firewall sees the "
                "public address with which your network goes out"
            )


def _needless(networks: Sequence[IPv4Network]) -> Iterator[str]:
    for one in dict.fromkeys(networks):
        if wider := _within(one, networks):
            yield f"{one} is a part of {wider}: leave one of them out"
        if networks.count(one) > 1:
            yield f"{one} is there twice: leave one of them out"


def _within(network: IPv4Network, others: Sequence[IPv4Network]) -> IPv4Network | None:
    """The first of the others that holds all of a network and more."""
    return next((other for other in others if other != network and network.subnet_of(other)), None)


def _is_not_on_the_internet(network: IPv4Network) -> bool:
    return any(network.subnet_of(other) for other in NOT_ON_THE_INTERNET)
