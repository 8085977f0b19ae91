"""Every kind of fault by its name."""

from collections.abc import Mapping
from dataclasses import dataclass

from localcloud.account.records import Status
from localcloud.api.errors import insufficient_capacity, internal_error, provider_unavailable, quota_exceeded
from localcloud.faults import after, before, downloads, late, marks
from localcloud.faults.call import Strike
from localcloud.faults.operations import HUB, SSH


@dataclass(frozen=True)
class Kind:
    """A way to go wrong."""

    strike: Strike | None
    """None for what the machine does itself."""
    operations: frozenset[str] | None = None
    """Those it fits; None for all of the API."""
    seconds: float | None = None
    """How long it takes unless asked otherwise; None when time has nothing to do with it."""
    takes_bytes: bool = False


_LAUNCH = frozenset({"launch"})
_TERMINATE = frozenset({"terminate"})
_SHOWS_INSTANCES = frozenset({"list-instances", "get-instance", "update-instance", "restart", "terminate"})
_HAS_QUOTA = frozenset({"launch", "create-filesystem", "create-firewall-ruleset"})
_CONNECT = frozenset({"ssh-connect"})
_COMMAND = frozenset({"ssh-command"})
_FILE = frozenset({"hub-file"})

KINDS: Mapping[str, Kind] = {
    "drop-before": Kind(before.drop_before),
    "error-409": Kind(before.refuse_with(lambda: internal_error(409))),
    "error-429": Kind(before.error_429),
    "error-500": Kind(before.refuse_with(internal_error)),
    "error-503": Kind(before.refuse_with(provider_unavailable)),
    "html": Kind(before.html),
    "insufficient-capacity": Kind(before.refuse_with(insufficient_capacity), _LAUNCH),
    "quota-exceeded": Kind(before.refuse_with(quota_exceeded), _HAS_QUOTA),
    "delay-before": Kind(late.delay_before, seconds=30.0),
    "delay-after": Kind(late.delay_after, seconds=30.0),
    "drop-after": Kind(after.drop_after),
    "error-500-after": Kind(after.error_500_after),
    "html-after": Kind(after.html_after),
    "truncated": Kind(after.truncated),
    "extra-fields": Kind(after.extra_fields),
    "unknown-status": Kind(after.unknown_status, _SHOWS_INSTANCES),
    "invisible": Kind(marks.invisible, _LAUNCH, seconds=10.0),
    "stuck-booting": Kind(marks.boot_ends_in(Status.BOOTING), _LAUNCH),
    "boot-unhealthy": Kind(marks.boot_ends_in(Status.UNHEALTHY), _LAUNCH),
    "boot-terminated": Kind(marks.boot_ends_in(Status.TERMINATED), _LAUNCH),
    "boot-preempted": Kind(marks.boot_ends_in(Status.PREEMPTED), _LAUNCH),
    "preempted": Kind(marks.preempted, _LAUNCH, seconds=60.0),
    "disk-full": Kind(marks.disk_full, _LAUNCH, takes_bytes=True),
    "ignored": Kind(marks.ignored, _TERMINATE),
    "slow": Kind(marks.slow, _TERMINATE, seconds=30.0),
    "ssh-refuse": Kind(None, _CONNECT, seconds=0.0),
    "ssh-drop": Kind(None, _COMMAND, seconds=0.0, takes_bytes=True),
    "hub-cut": Kind(before.drop_before, HUB),
    "hub-401": Kind(downloads.refuse(401, "Invalid credentials in Authorization header"), HUB),
    "hub-403": Kind(downloads.refuse(403, "Your access to this model has been withdrawn.", "GatedRepo"), HUB),
    "hub-429": Kind(downloads.refuse(429, "Too Many Requests"), HUB, seconds=0.0),
    "hub-500": Kind(downloads.refuse(500, "Internal Server Error"), HUB),
    "hub-503": Kind(downloads.refuse(503, "Service Unavailable"), HUB),
    "hub-slow": Kind(downloads.slow, _FILE, seconds=30.0),
    "hub-truncated": Kind(downloads.truncated, _FILE),
    "hub-wrong-bytes": Kind(downloads.wrong_bytes, _FILE),
}


def kinds_for(operation: str) -> list[str]:
    """Names of the kinds that fit an operation."""
    return sorted(name for name, kind in KINDS.items() if _fits(kind, operation))


def kind_for(operation: str, name: str) -> Kind:
    """The kind of this name.

    Raises:
        ValueError: one line: there is no such kind, or none for the operation, and which there are for it.
    """
    kind = KINDS.get(name)
    fitting = kinds_for(operation)
    if kind is None:
        raise ValueError(f"kind '{name}' is not one of those for '{operation}': {', '.join(fitting)}")
    if not _fits(kind, operation):
        raise ValueError(f"kind '{name}' does not fit operation '{operation}'; those that do: {', '.join(fitting)}")
    return kind


def _fits(kind: Kind, operation: str) -> bool:
    if kind.operations is None:
        return operation not in SSH | HUB
    return operation in kind.operations
