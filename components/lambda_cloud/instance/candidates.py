"""Which of the acceptable machines can be had, judged before anything is bought.

A candidate is a type in a region. What rules one out for good (no such image for its architecture, too expensive, the
filesystem lies elsewhere) is told apart from what may pass (no capacity).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

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


def each_in_each(instance_types: Iterable[str], regions: Iterable[str]) -> tuple[Candidate, ...]:
    """Every type in every region, in the order in which they are tried."""
    return tuple(Candidate(*pair) for pair in product(instance_types, regions))


def image_words(family: str | None, image_id: str | None) -> dict[str, str]:
    """How a launch names its image: by the id if there is one, else the newest of the family."""
    return {"id": image_id} if image_id else {"family": family or ""}


@dataclass(frozen=True)
class Market:
    """What Lambda has at the moment, and what follows for a candidate. Only `offered` takes one of an unknown type."""

    offers: Mapping[str, Offer]
    images: Sequence[Image]
    filesystems: Sequence[Filesystem] = ()
    """Needed only when a launch names some."""

    def offered(self, candidates: Iterable[Candidate]) -> tuple[Candidate, ...]:
        """Those whose type there is."""
        return tuple(one for one in candidates if one.instance_type in self.offers)

    def kind(self, candidate: Candidate) -> InstanceType:
        """The type of a candidate that is offered."""
        return self.offers[candidate.instance_type].instance_type

    def has_capacity(self, candidate: Candidate) -> bool:
        """Whether the type is said to be free there; a launch may be refused all the same."""
        return self.offers[candidate.instance_type].has_capacity_in(candidate.region)

    def is_sold(self, candidate: Candidate) -> bool:
        """Whether the region may have machines of the type. Lambda does not say where it sells what: a region that has
        capacity does, and one without any image for the type's architecture does not."""
        return self.has_capacity(candidate) or self._is_there(candidate, self.images)

    def boots(self, candidate: Candidate, image: Mapping[str, str]) -> bool:
        """Whether the region has an image of these words for the type's architecture."""
        return self._is_there(candidate, self.images_named(image))

    def images_named(self, image: Mapping[str, str]) -> list[Image]:
        """All rows of the image that a launch names, wherever and for whatever architecture."""
        return [one for one in self.images if one.id == image.get("id") or one.family == image.get("family")]

    def costs_more_than(self, max_cents_per_hour: int | None, candidate: Candidate) -> bool:
        """Whether it is too expensive to be launched; None is no limit."""
        return max_cents_per_hour is not None and self.kind(candidate).price_cents_per_hour > max_cents_per_hour

    def cheapest(self, candidates: Iterable[Candidate]) -> Candidate | None:
        """Of those whose type there is, the first that costs least."""
        return min(self.offered(candidates), key=lambda one: self.kind(one).price_cents_per_hour, default=None)

    def dollars_per_hour(self, candidate: Candidate) -> float:
        """US dollars."""
        return self.kind(candidate).price_cents_per_hour / 100

    def price(self, candidate: Candidate) -> str:
        """Dollars an hour, as text."""
        return dollars(self.kind(candidate).price_cents_per_hour)

    def _is_there(self, candidate: Candidate, images: Iterable[Image]) -> bool:
        wanted = (self.kind(candidate).image_architecture, candidate.region)
        return any((one.architecture, one.region.name) == wanted for one in images)


@dataclass(frozen=True)
class Selection:
    """The candidates that may be launched, in order of preference, and what speaks against the others."""

    eligible: tuple[Candidate, ...] = ()
    refused: Mapping[Candidate, str] = field(default_factory=dict)


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
    if max_price_cents_per_hour is not None and market.costs_more_than(max_price_cents_per_hour, candidate):
        return f"costs {market.price(candidate)} an hour, above {dollars(max_price_cents_per_hour)}"
    return _image_missing(candidate, template, market) or _filesystem_elsewhere(candidate, template, market)


def _image_missing(candidate: Candidate, template: LaunchRequest, market: Market) -> str | None:
    """An image of the other architecture would be refused, or worse, not boot."""
    wanted = template.image
    if market.boots(candidate, wanted):
        return None
    architecture = market.kind(candidate).image_architecture
    if not market.is_sold(candidate):
        offer = market.offers[candidate.instance_type]
        free = ", ".join(sorted(region.name for region in offer.regions_with_capacity_available))
        return (
            f"needs an image for {architecture}, and the region has none at all, so it does not sell the type; "
            f"{f'it has capacity now in {free}' if free else 'no region has capacity now'}"
        )
    name = wanted.get("id") or wanted.get("family")
    others = sorted({i.architecture for i in market.images_named(wanted) if i.region.name == candidate.region})
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
    cheapest = market.cheapest(candidates)
    if cheapest is None:
        names = ", ".join(dict.fromkeys(candidate.instance_type for candidate in candidates))
        raise NoCandidateError(f"Lambda has no instance type {names}; it has {', '.join(sorted(market.offers))}")
    if max_price_cents_per_hour is not None and market.costs_more_than(max_price_cents_per_hour, cheapest):
        raise TooExpensiveError(
            f"the cheapest candidate costs {market.price(cheapest)} an hour and the highest price allowed "
            f"(maxPricePerHour) is {dollars(max_price_cents_per_hour)}: nothing was launched"
        )
    raise NoCandidateError(f"no candidate can be launched, and nothing was: {table(refused)}")
