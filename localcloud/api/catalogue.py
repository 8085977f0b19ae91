"""What can be launched: instance types, regions, images. The API's form of each."""

from collections.abc import Iterable
from typing import Any

from aiohttp import web

from localcloud.account.catalogue import IMAGES, INSTANCE_TYPES, REGIONS, Image, InstanceType, image_regions
from localcloud.api.envelope import ok
from localcloud.cloud import cloud_of

IMAGE_TIME = "2026-03-02T18:05:12.311000+00:00"
"""When all the images were made and last changed."""


def region_json(name: str) -> dict[str, str]:
    """A region by its code."""
    return {"name": name, "description": REGIONS[name]}


def instance_type_json(row: InstanceType) -> dict[str, Any]:
    """`architecture` is missing from the document and present in live answers."""
    return {
        "name": row.name,
        "description": row.description,
        "gpu_description": row.gpu_description,
        "price_cents_per_hour": row.price_cents_per_hour,
        "specs": {
            "vcpus": row.vcpus,
            "memory_gib": row.memory_gib,
            "storage_gib": row.storage_gib,
            "gpus": row.gpus,
        },
        "architecture": row.architecture,
    }


async def instance_types(request: web.Request) -> web.Response:
    """A map by name; a type that cannot be had anywhere is listed all the same."""
    cloud = cloud_of(request)
    return ok(
        {
            name: {
                "instance_type": instance_type_json(cloud.prices.offer(name)),
                "regions_with_capacity_available": [region_json(region) for region in cloud.capacity.regions(name)],
            }
            for name in INSTANCE_TYPES
        }
    )


async def list_regions(_request: web.Request) -> web.Response:
    """Every region."""
    return ok([region_json(name) for name in REGIONS])


async def list_images(request: web.Request) -> web.Response:
    """One row for each image and region; the id repeats."""
    capacity = cloud_of(request).capacity
    return ok(
        [
            row
            for image in IMAGES
            for row in _image_rows(image, image_regions(image, capacity.architecture_regions(image.architecture)))
        ]
    )


def _image_rows(image: Image, regions: Iterable[str]) -> list[dict[str, Any]]:
    return [
        {
            "id": image.id,
            "created_time": IMAGE_TIME,
            "updated_time": IMAGE_TIME,
            "name": image.name,
            "description": image.description,
            "family": image.family,
            "version": image.version,
            "architecture": image.architecture,
            "region": region_json(region),
        }
        for region in regions
    ]
