"""Which of the acceptable machines can be had, judged before anything is bought.

A candidate is a type in a region. What rules one out for good (no such image for its architecture, too expensive, the
filesystem lies elsewhere) is told apart from what may pass (no capacity).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from components.lambda_cloud.api.errors import CloudError
from components.lambda_cloud.api.models import Filesystem, Image, InstanceType, LaunchRequest, Offer


class NoCandidateError(CloudError):
    """None of the acceptable machines can ever be launched as asked."""


class TooExpensiveError(NoCandidateError):
    """Every candidate costs more than was allowed."""


@dataclass(frozen=True)
class Candidate:
    """A machine that would do."""

    instance_type: str
    region: str

    def __str__(self) -> str:
        return f"{self.instance_type} in {self.region}"


@dataclass(frozen=True)
class Market:
    """What Lambda has at the moment."""

    offers: Mapping[str, Offer]
    images: Sequence[Image]
    filesystems: Sequence[Filesystem] = ()
    """Needed only when a launch names some."""

    def kind(self, candidate: Candidate) -> InstanceType:
        """The type of a candidate that is offered."""
        return self.offers[candidate.instance_type].instance_type

    def has_capacity(self, candidate: Candidate) -> bool:
        """Whether the type is said to be free there; a launch may be refused all the same."""
        return self.offers[candidate.instance_type].has_capacity_in(candidate.region)


@dataclass(frozen=True)
class Selection:
    """The candidates that may be launched, in order of preference, and what speaks against the others."""

    eligible: tuple[Candidate, ...] = ()
    refused: Mapping[Candidate, str] = field(default_factory=dict)


def is_sold(offer: Offer, region: str, images: Sequence[Image]) -> bool:
    """Whether a region may have machines of a type. Lambda does not say where it sells what: a region that has capacity
    does, and one without any image for the type's architecture does not."""
    architecture = offer.instance_type.image_architecture
    has_images = any((one.architecture, one.region.name) == (architecture, region) for one in images)
    return has_images or offer.has_capacity_in(region)


def select_candidates(
    candidates: Sequence[Candidate], template: LaunchRequest, max_price_cents_per_hour: int | None, market: Market
) -> Selection:
    """Sort out what can never be launched; `NoCandidateError` when nothing is left, with every reason."""
    eligible: list[Candidate] = []
    refused: dict[Candidate, str] = {}
    for candidate in candidates:
        reason = _reason_against(candidate, template, max_price_cents_per_hour, market)
        if reason:
            refused[candidate] = reason
        else:
            eligible.append(candidate)
    if not eligible:
        _refuse(candidates, refused, max_price_cents_per_hour, market)
    return Selection(tuple(eligible), refused)


def price(market: Market, candidate: Candidate) -> str:
    """Dollars an hour, as text."""
    return dollars(market.kind(candidate).price_cents_per_hour)


def dollars(cents: int) -> str:
    """US cents as dollars."""
    return f"${cents / 100:.2f}"


def table(refused: Mapping[Candidate, str]) -> str:
    """What was refused and why, on one line."""
    return "; ".join(f"{candidate}: {reason}" for candidate, reason in refused.items())


def _reason_against(
    candidate: Candidate, template: LaunchRequest, max_price_cents_per_hour: int | None, market: Market
) -> str | None:
    if candidate.instance_type not in market.offers:
        return "Lambda has no such type"
    kind = market.kind(candidate)
    if max_price_cents_per_hour is not None and kind.price_cents_per_hour > max_price_cents_per_hour:
        return f"costs {dollars(kind.price_cents_per_hour)} an hour, above {dollars(max_price_cents_per_hour)}"
    return _image_missing(candidate, template, market) or _filesystem_elsewhere(candidate, template, market)


def _image_missing(candidate: Candidate, template: LaunchRequest, market: Market) -> str | None:
    """An image of the other architecture would be refused, or worse, not boot."""
    architecture = market.kind(candidate).image_architecture
    wanted = template.image
    named = [i for i in market.images if i.id == wanted.get("id") or i.family == wanted.get("family")]
    if any(i.architecture == architecture and i.region.name == candidate.region for i in named):
        return None
    offer = market.offers[candidate.instance_type]
    if not is_sold(offer, candidate.region, market.images):
        free = ", ".join(sorted(region.name for region in offer.regions_with_capacity_available))
        return (
            f"needs an image for {architecture}, and the region has none at all, so it does not sell the type; "
            f"{f'it has capacity now in {free}' if free else 'no region has capacity now'}"
        )
    name = wanted.get("id") or wanted.get("family")
    others = sorted({i.architecture for i in named if i.region.name == candidate.region})
    there = f", there it is for {' and '.join(others)}" if others else ""
    return f"needs an image for {architecture}, and {name} is none there{there}"


def _filesystem_elsewhere(candidate: Candidate, template: LaunchRequest, market: Market) -> str | None:
    mounted = {mount["file_system_id"] for mount in template.file_system_mounts or []}
    names = set(template.file_system_names or [])
    for filesystem in market.filesystems:
        asked_for = filesystem.id in mounted or filesystem.name in names
        if asked_for and filesystem.region.name != candidate.region:
            return f"the filesystem {filesystem.name} lies in {filesystem.region.name}"
    missing = (mounted - {f.id for f in market.filesystems}) | (names - {f.name for f in market.filesystems})
    return f"there is no filesystem {', '.join(sorted(missing))}" if missing else None


def _refuse(
    candidates: Sequence[Candidate],
    refused: Mapping[Candidate, str],
    max_price_cents_per_hour: int | None,
    market: Market,
) -> None:
    known = [candidate for candidate in candidates if candidate.instance_type in market.offers]
    if not known:
        names = ", ".join(dict.fromkeys(candidate.instance_type for candidate in candidates))
        raise NoCandidateError(f"Lambda has no instance type {names}; it has {', '.join(sorted(market.offers))}")
    cheapest = min(market.kind(candidate).price_cents_per_hour for candidate in known)
    if max_price_cents_per_hour is not None and cheapest > max_price_cents_per_hour:
        raise TooExpensiveError(
            f"the cheapest candidate costs {dollars(cheapest)} an hour and the highest price allowed (maxPricePerHour) "
            f"is {dollars(max_price_cents_per_hour)}: nothing was launched"
        )
    raise NoCandidateError(f"no candidate can be launched, and nothing was: {table(refused)}")
