"""What Lambda says of the acceptable machines before one is launched: are they sold, for how much, do they boot?"""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

from components.lambda_cloud.api.client import LambdaClient
from components.lambda_cloud.api.models import REGIONS_WITHOUT_FIREWALL, Filesystem, Image, Offer
from components.lambda_cloud.instance.candidates import is_sold
from components.settings import Settings
from components.text.spelling import did_you_mean


@dataclass(frozen=True)
class Candidate:
    """A type in a region, as Lambda offers it now."""

    instance_type: str
    region: str
    price_cents_per_hour: int
    has_capacity: bool
    """A launch may be refused all the same."""
    is_sold: bool = True
    """False where nothing says that the region has machines of this type at all."""

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
    problems = check_names(settings, offers, regions)
    # Of what there is none nothing more can be said.
    images_of = [] if problems else check_images(settings, offers, images)
    problems += [*check_price(settings, offers), *images_of]
    if settings.filesystem:
        problems += check_filesystem(settings, client.filesystems())
    return Market(offers, tuple(images), tuple(problems))


def check_names(settings: Settings, offers: Mapping[str, Offer], regions: set[str]) -> list[str]:
    """What is wrong with the names of instance types and regions in the settings, a line each."""
    problems = [
        f"instanceTypes: Lambda has no instance type {name}; {_what_there_is(name, offers)}"
        for name in settings.instance_types
        if name not in offers
    ]
    problems += [
        f"regions: Lambda has no region {name}; {_what_there_is(name, regions)}"
        for name in settings.regions
        if name not in regions
    ]
    return problems + [
        f"regions: {name} ignores firewall rules, so every port would be open to the world; choose another region"
        for name in settings.regions
        if name in REGIONS_WITHOUT_FIREWALL
    ]


def _what_there_is(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    return did_you_mean(name, names, most=3) or f"it has {', '.join(names)}"


def check_filesystem(settings: Settings, filesystems: Sequence[Filesystem]) -> list[str]:
    """A line when the filesystem lies where no machine is to be: one of the name in another region is taken over."""
    wanted = settings.filesystem
    there = next((one for one in filesystems if wanted and one.name == wanted.name), None)
    if there is None or there.region.name in settings.regions:
        return []
    return [
        f"filesystem: {there.name} lies in {there.region.name}, not in {', '.join(settings.regions)}, and cannot move: "
        f"name {there.region.name} in regions, or another filesystem"
    ]


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
    """What keeps every candidate from booting the image, which must exist in the region, for the type's architecture.

    Where a region does not sell the types at all, the image is not the problem.
    """
    family, image_id = settings.image
    rows = [one for one in images if image_id == one.id or family == one.family]
    there = {(one.architecture, one.region.name) for one in rows}
    wanted = {
        (offers[name].instance_type.image_architecture, region): name
        for name in reversed(settings.instance_types)
        for region in settings.regions
        if is_sold(offers[name], region, images)
    }
    if not wanted:
        return [_not_sold(offers[name], settings.regions, images) for name in settings.instance_types]
    if there & wanted.keys():
        return []
    key, value = ("imageId", image_id) if image_id else ("imageFamily", str(family))
    if not rows:
        known = sorted({one.id if image_id else one.family for one in images})
        question = did_you_mean(str(value), known)
        families = "" if image_id else f"it has {', '.join(known)}"
        return [f"{key}: Lambda has no image {value}{f'; {question or families}' if question or families else ''}"]
    places = ", ".join(f"{architecture} in {region}" for architecture, region in sorted(wanted))
    return [f"{key}: Lambda has no image {value} for {places}; {_where_it_is(there, wanted)}"]


def _where_it_is(there: Set[tuple[str, str]], wanted: Mapping[tuple[str, str], str]) -> str:
    """What there is of an image, for architectures in regions, none of which is wanted."""
    architectures = {architecture for architecture, _ in wanted}
    regions = sorted({region for architecture, region in there if architecture in architectures})
    if regions:
        return f"it is in {', '.join(regions)}"
    others = " and ".join(sorted({architecture for architecture, _ in there}))
    types = {name: architecture for (architecture, _), name in wanted.items()}
    return f"it is for {others} only, and {', '.join(f'{name} is {types[name]}' for name in sorted(types))}"


def _not_sold(offer: Offer, regions: Sequence[str], images: Sequence[Image]) -> str:
    architecture = offer.instance_type.image_architecture
    free = sorted(one.name for one in offer.regions_with_capacity_available if one.name not in REGIONS_WITHOUT_FIREWALL)
    others = sorted({one.region.name for one in images if one.architecture == architecture} - REGIONS_WITHOUT_FIREWALL)
    do = "do" if len(regions) > 1 else "does"
    where = f"regions that may have it: {', '.join(others) or 'none'} (none has capacity now)"
    if free:
        where = f"regions that have it: {', '.join(free)} (capacity now)"
    return (
        f"regions: {' and '.join(regions)} {do} not sell {offer.instance_type.name}: Lambda has no image for its "
        f"architecture, {architecture}, there; {where}"
    )


def candidates(settings: Settings, offers: Mapping[str, Offer], images: Sequence[Image]) -> tuple[Candidate, ...]:
    """Every type that Lambda has, in every region, in the order of preference."""
    return tuple(
        Candidate(
            instance_type=name,
            region=region,
            price_cents_per_hour=offers[name].instance_type.price_cents_per_hour,
            has_capacity=offers[name].has_capacity_in(region),
            is_sold=is_sold(offers[name], region, images),
        )
        for name in settings.instance_types
        if name in offers
        for region in settings.regions
    )
