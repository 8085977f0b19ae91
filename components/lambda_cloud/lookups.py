"""What Lambda has, as plain functions for a program or a shell. They read, and change nothing.

from components.lambda_cloud.lookups import account, images, instance_types, regions

for offer in instance_types(account()):
    print(offer.name, offer.dollars_per_hour, offer.regions)
"""

import os
from dataclasses import dataclass

from components.lambda_cloud.api.account_folder import DEFAULT_URL
from components.lambda_cloud.api.client import LambdaClient, shared_client
from components.lambda_cloud.api.models import Image, Region


@dataclass(frozen=True)
class TypeOffer:
    """An instance type, its price, and the regions that say they have one free now (a launch may be refused)."""

    name: str
    description: str
    architecture: str
    """`arm64` or `x86_64`."""
    dollars_per_hour: float
    gpus: int
    vcpus: int
    memory_gib: int
    storage_gib: int
    regions: tuple[str, ...]


def account(api_key: str | None = None, url: str = DEFAULT_URL) -> LambdaClient:
    """The account to ask; the key is that of `LAMBDA_API_KEY` unless given. `NotConfiguredError` without one."""
    return shared_client(api_key or os.environ.get("LAMBDA_API_KEY", "").strip(), url)


def instance_types(client: LambdaClient) -> list[TypeOffer]:
    """Every type, the cheapest first."""
    offers = [
        TypeOffer(
            name=offer.instance_type.name,
            description=offer.instance_type.description,
            architecture=offer.instance_type.image_architecture,
            dollars_per_hour=offer.instance_type.price_cents_per_hour / 100,
            gpus=offer.instance_type.specs.gpus,
            vcpus=offer.instance_type.specs.vcpus,
            memory_gib=offer.instance_type.specs.memory_gib,
            storage_gib=offer.instance_type.specs.storage_gib,
            regions=tuple(region.name for region in offer.regions_with_capacity_available),
        )
        for offer in client.offers().values()
    ]
    return sorted(offers, key=lambda offer: (offer.dollars_per_hour, offer.name))


def images(
    client: LambdaClient, family: str | None = None, architecture: str | None = None, region: str | None = None
) -> list[Image]:
    """Images, one row for each region that has it; each argument that is given narrows the list."""
    return [
        image
        for image in client.images()
        if family in (None, image.family)
        and architecture in (None, image.architecture)
        and region in (None, image.region.name)
    ]


def regions(client: LambdaClient) -> list[Region]:
    """Every region."""
    return client.regions()
