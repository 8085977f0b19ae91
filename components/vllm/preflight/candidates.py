"""What Lambda says of the acceptable machines before one is launched: are they sold, for how much, do they boot?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from components.cloud.client import LambdaClient
from components.cloud.models import REGIONS_WITHOUT_FIREWALL, Image, Offer
from components.settings import Settings


@dataclass(frozen=True)
class Candidate:
    """A type in a region, as Lambda offers it now."""

    instance_type: str
    region: str
    price_cents_per_hour: int
    has_capacity: bool
    """A launch may be refused all the same."""

    @property
    def dollars_per_hour(self) -> float:
        """US dollars."""
        return self.price_cents_per_hour / 100

    def __str__(self) -> str:
        now = "capacity now" if self.has_capacity else "no capacity now"
        return f"{self.instance_type} in {self.region}: ${self.dollars_per_hour:.2f} an hour, {now}"


@dataclass(frozen=True)
class Market:
    """What Lambda sells at the moment, and what speaks against a launch, a line each."""

    offers: Mapping[str, Offer]
    images: tuple[Image, ...]
    problems: tuple[str, ...]

    def check(self, settings: Settings, names: Sequence[str]) -> list[str]:
        """What keeps these types, which are sold, from being launched: their price, or a missing image."""
        few = settings.model_copy(update={"instance_types": list(names)})
        return check_price(few, self.offers) or check_images(few, self.offers, self.images)


def look(settings: Settings, client: LambdaClient) -> Market:
    """Ask Lambda; `CloudError` when it does not answer or refuses the key."""
    offers = client.offers()
    images = client.images()
    regions = {image.region.name for image in images}
    if not regions.issuperset(settings.regions):
        # Asked only when it matters, since each request takes a second of Lambda's limit.
        regions |= {region.name for region in client.regions()}
    problems = check_candidates(settings, offers, regions) or check_images(settings, offers, images)
    return Market(offers, tuple(images), tuple(problems))


def check_candidates(settings: Settings, offers: Mapping[str, Offer], regions: set[str]) -> list[str]:
    """What is wrong with the instance types and regions that the settings name, a line each."""
    problems = [
        f"instanceTypes: Lambda has no instance type {name}; it has {', '.join(sorted(offers))}"
        for name in settings.instance_types
        if name not in offers
    ]
    problems += [
        f"regions: Lambda has no region {name}; it has {', '.join(sorted(regions))}"
        for name in settings.regions
        if name not in regions
    ]
    problems += [
        f"regions: {name} ignores firewall rules, so every port would be open to the world; choose another region"
        for name in settings.regions
        if name in REGIONS_WITHOUT_FIREWALL
    ]
    return problems + check_price(settings, offers)


def check_price(settings: Settings, offers: Mapping[str, Offer]) -> list[str]:
    """A line when every acceptable type is dearer than the limit."""
    limit = settings.max_price_cents_per_hour
    prices = {n: offers[n].instance_type.price_cents_per_hour for n in settings.instance_types if n in offers}
    if limit is None or not prices or min(prices.values()) <= limit:
        return []
    cheapest = min(prices, key=lambda name: prices[name])
    return [
        f"maxPricePerHour: ${limit / 100:.2f} is less than the cheapest of instanceTypes costs, which is "
        f"${prices[cheapest] / 100:.2f} an hour for {cheapest}"
    ]


def check_images(settings: Settings, offers: Mapping[str, Offer], images: Sequence[Image]) -> list[str]:
    """A line when no candidate can boot the image: it must exist in the region, for the type's architecture."""
    family, image_id = settings.image
    there = {(i.architecture, i.region.name) for i in images if image_id == i.id or family == i.family}
    wanted = {
        (offers[name].instance_type.image_architecture, region)
        for name in settings.instance_types
        for region in settings.regions
    }
    if there & wanted:
        return []
    key, value = ("imageId", image_id) if image_id else ("imageFamily", family)
    places = ", ".join(f"{architecture} in {region}" for architecture, region in sorted(wanted))
    return [f"{key}: Lambda has no image {value} for {places}"]


def candidates(settings: Settings, offers: Mapping[str, Offer]) -> tuple[Candidate, ...]:
    """Every type that is sold, in every region, in the order of preference."""
    return tuple(
        Candidate(
            instance_type=name,
            region=region,
            price_cents_per_hour=offers[name].instance_type.price_cents_per_hour,
            has_capacity=any(region == free.name for free in offers[name].regions_with_capacity_available),
        )
        for name in settings.instance_types
        if name in offers
        for region in settings.regions
    )
