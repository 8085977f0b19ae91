"""What every request needs to reach: the account and the things that act on it."""

from dataclasses import dataclass

from aiohttp import web

from localcloud.capacity import Capacity
from localcloud.clock import CloudClock
from localcloud.credentials import Credentials
from localcloud.faults.waiting import Faults
from localcloud.filesystems import FilesystemFolders
from localcloud.journal import Journal
from localcloud.lifecycle import Lifecycle
from localcloud.prices import Prices
from localcloud.quotas import Allowance
from localcloud.store import Store


@dataclass(frozen=True)
class Cloud:
    """One account of the local cloud."""

    credentials: Credentials
    store: Store
    capacity: Capacity
    prices: Prices
    allowance: Allowance
    lifecycle: Lifecycle
    filesystems: FilesystemFolders
    faults: Faults
    journal: Journal
    clock: CloudClock


CLOUD = web.AppKey("cloud", Cloud)


def cloud_of(request: web.Request) -> Cloud:
    """The cloud that a request came to, also from within a part of the application."""
    cloud: Cloud = request.config_dict[CLOUD]
    return cloud
