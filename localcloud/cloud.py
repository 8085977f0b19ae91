"""What every request needs to reach: the account and the things that act on it."""

from dataclasses import dataclass

from aiohttp import web

from localcloud.account.capacity import Capacity
from localcloud.account.credentials import Credentials
from localcloud.account.filesystems import FilesystemFolders
from localcloud.account.prices import Prices
from localcloud.account.quotas import Allowance
from localcloud.account.store import Store
from localcloud.api.edge_date import EdgeDate
from localcloud.clock import Clock
from localcloud.control.journal import Journal
from localcloud.faults.waiting import Faults
from localcloud.machines.lifecycle import Lifecycle


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
    edge_date: EdgeDate
    clock: Clock


CLOUD = web.AppKey("cloud", Cloud)


def cloud_of(request: web.Request) -> Cloud:
    """The cloud that a request came to, also from within a part of the application."""
    cloud: Cloud = request.config_dict[CLOUD]
    return cloud
