"""How the control side shows instances and faults."""

from typing import Any

from localcloud.account.records import InstanceRecord
from localcloud.cloud import Cloud
from localcloud.faults.fault import Fault


def instance_summary(cloud: Cloud, instance: InstanceRecord) -> dict[str, Any]:
    """What anybody wants to know of an instance; the price is that of now, in US cents an hour."""
    return {
        "id": instance.id,
        "name": instance.name,
        "status": instance.status,
        "ip": instance.ip,
        "region": instance.region,
        "instance_type": instance.instance_type,
        "price_cents_per_hour": cloud.prices.offer(instance.instance_type).price_cents_per_hour,
    }


def fault_summary(fault: Fault) -> dict[str, Any]:
    """What is left of a fault; what does not fit its kind is not in it."""
    return fault.model_dump(exclude_none=True)
