"""What Lambda says of the settings before a machine is launched: are the types sold, for how much, do they boot?

What makes a candidate is decided in `lambda_cloud.instance.candidates`, for the launch too. Here it is told under the
keys of the settings.
"""

from collections.abc import Iterable, Mapping, Sequence, Set

from components.lambda_cloud.api.client import LambdaClient
from components.lambda_cloud.api.models import REGIONS_WITHOUT_FIREWALL
from components.lambda_cloud.instance.candidates import Candidate, Market, dollars, each_in_each, image_words
from components.settings import Settings
from components.text.spelling import did_you_mean


def look(settings: Settings, client: LambdaClient) -> tuple[Market, list[str]]:
    """Ask Lambda what it has, and what of it speaks against a launch, a line each.

    `CloudError` when it does not answer or refuses the key.
    """
    market = Market(client.offers(), client.images())
    regions = {image.region.name for image in market.images}
    if not regions.issuperset(settings.regions):
        # Asked only when it matters, since each request takes a second of Lambda's limit.
        regions |= {region.name for region in client.regions()}
    problems = check_names(settings, market, regions)
    candidates = acceptable(settings)
    # Of what there is none nothing more can be said.
    images_of = [] if problems else check_images(settings, candidates, market)
    problems += [*check_price(settings, candidates, market), *images_of]
    if settings.filesystem:
        problems += check_filesystem(settings, client)
    return market, problems


def acceptable(settings: Settings) -> tuple[Candidate, ...]:
    """What the user would take, in the order of preference, whether there is such a type or not."""
    return each_in_each(settings.instance_types, settings.regions)


def check_types(settings: Settings, names: Sequence[str], market: Market) -> list[str]:
    """What keeps these of the acceptable types, which are sold, from being launched: their price, or their image."""
    few = each_in_each(names, settings.regions)
    return check_price(settings, few, market) or check_images(settings, few, market)


def check_names(settings: Settings, market: Market, regions: set[str]) -> list[str]:
    """What is wrong with the names of instance types and regions in the settings, a line each."""
    problems = [
        f"instanceTypes: Lambda has no instance type {name}; {_what_there_is(name, market.offers)}"
        for name in settings.instance_types
        if name not in market.offers
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


def check_filesystem(settings: Settings, client: LambdaClient) -> list[str]:
    """A line when the filesystem lies where no machine is to be: one of the name in another region is taken over."""
    wanted = settings.filesystem
    there = next((one for one in client.filesystems() if wanted and one.name == wanted.name), None)
    if there is None or there.region.name in settings.regions:
        return []
    return [
        f"filesystem: {there.name} lies in {there.region.name}, not in {', '.join(settings.regions)}, and cannot move: "
        f"name {there.region.name} in regions, or another filesystem"
    ]


def check_price(settings: Settings, candidates: Sequence[Candidate], market: Market) -> list[str]:
    """A line when every acceptable type is dearer than the limit."""
    limit = settings.max_price_cents_per_hour
    cheapest = market.cheapest(candidates)
    if limit is None or cheapest is None or not market.costs_more_than(limit, cheapest):
        return []
    return [
        f"maxPricePerHour: {dollars(limit)} is less than the cheapest of instanceTypes costs, which is "
        f"{market.price(cheapest)} an hour for {cheapest.instance_type}"
    ]


def check_images(settings: Settings, candidates: Sequence[Candidate], market: Market) -> list[str]:
    """What keeps every candidate from booting the image, which must exist in the region, for the type's architecture.

    Where a region does not sell the types at all, the image is not the problem.
    """
    family, image_id = settings.image
    image = image_words(family, image_id)
    if any(market.boots(one, image) for one in candidates):
        return []
    sold = [one for one in candidates if market.is_sold(one)]
    if not sold:
        names = dict.fromkeys(one.instance_type for one in candidates)
        return [_not_sold(name, settings.regions, market) for name in names]
    rows = market.images_named(image)
    key, value = ("imageId", image_id) if image_id else ("imageFamily", str(family))
    if not rows:
        known = sorted({one.id if image_id else one.family for one in market.images})
        question = did_you_mean(str(value), known)
        families = "" if image_id else f"it has {', '.join(known)}"
        return [f"{key}: Lambda has no image {value}{f'; {question or families}' if question or families else ''}"]
    # Of several types of an architecture the one that is preferred is named.
    wanted = {(market.kind(one).image_architecture, one.region): one.instance_type for one in reversed(sold)}
    places = ", ".join(f"{architecture} in {region}" for architecture, region in sorted(wanted))
    there = {(one.architecture, one.region.name) for one in rows}
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


def _not_sold(name: str, regions: Sequence[str], market: Market) -> str:
    offer = market.offers[name]
    architecture = offer.instance_type.image_architecture
    free = sorted(one.name for one in offer.regions_with_capacity_available if one.name not in REGIONS_WITHOUT_FIREWALL)
    images = {one.region.name for one in market.images if one.architecture == architecture}
    others = sorted(images - REGIONS_WITHOUT_FIREWALL)
    do = "do" if len(regions) > 1 else "does"
    where = f"regions that may have it: {', '.join(others) or 'none'} (none has capacity now)"
    if free:
        where = f"regions that have it: {', '.join(free)} (capacity now)"
    return (
        f"regions: {' and '.join(regions)} {do} not sell {name}: Lambda has no image for its "
        f"architecture, {architecture}, there; {where}"
    )
