"""What can be known before the meter runs: asked in every preview and update, before anything is created."""

from collections.abc import Mapping
from dataclasses import dataclass

from components.cloud.client import LambdaClient
from components.cloud.errors import CloudError
from components.cloud.models import REGIONS_WITHOUT_FIREWALL, Image, Offer
from components.settings import Settings
from components.vllm.hub import Hub, HubError, ModelCommit


class PreflightError(Exception):
    """What would fail later; one line for each finding."""


@dataclass(frozen=True)
class Plan:
    """What is going to be done."""

    model: ModelCommit
    lines: tuple[str, ...]
    """For the user: the model at its commit, and each candidate with price and capacity."""


def preflight(settings: Settings, client: LambdaClient, hub: Hub) -> Plan:
    """Ask Lambda and the hub; `PreflightError` with every finding at once. Nothing is created or changed."""
    problems: list[str] = []
    offers: dict[str, Offer] = {}
    model: ModelCommit | None = None
    try:
        offers = client.offers()
        images = client.images()
        regions = {image.region.name for image in images}
        if not regions.issuperset(settings.regions):
            # Asked only when it matters, since each request takes a second of Lambda's limit.
            regions |= {region.name for region in client.regions()}
        problems += check_candidates(settings, offers, regions) or check_images(settings, offers, images)
    except CloudError as error:
        problems.append(str(error))
    try:
        model = hub.resolve(settings.model, settings.model_revision)
    except HubError as error:
        problems.append(str(error))
    if problems or model is None:
        raise PreflightError("\n".join(problems))
    return Plan(model, (f"model {model.model} at {model.commit[:12]}", *describe_candidates(settings, offers)))


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
    limit = settings.max_price_cents_per_hour
    prices = [offers[n].instance_type.price_cents_per_hour for n in settings.instance_types if n in offers]
    if limit is not None and prices and min(prices) > limit:
        problems.append(
            f"maxPricePerHour: ${limit / 100:.2f} is less than the cheapest of instanceTypes costs, which is "
            f"${min(prices) / 100:.2f} an hour"
        )
    return problems


def check_images(settings: Settings, offers: Mapping[str, Offer], images: list[Image]) -> list[str]:
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


def describe_candidates(settings: Settings, offers: Mapping[str, Offer]) -> list[str]:
    """A line for each candidate: type, region, price, and whether it can be had now."""
    lines = []
    for name in settings.instance_types:
        offer = offers[name]
        available = {region.name for region in offer.regions_with_capacity_available}
        for region in settings.regions:
            now = "capacity now" if region in available else "no capacity now"
            lines.append(f"{name} in {region}: ${offer.instance_type.price_cents_per_hour / 100:.2f} an hour, {now}")
    return lines
