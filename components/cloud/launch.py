"""Getting one machine out of a list of acceptable ones, once.

Candidates are walked in order of preference; a launch that fails for lack of capacity goes on to the next, any other
error ends the walk. When none has capacity, the walk is repeated until a deadline. A launch whose reply was lost is
never sent again blindly: first the launch token is looked for.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from components.cloud.client import LambdaClient
from components.cloud.engine import require_engine
from components.cloud.errors import CloudError, InsufficientCapacityError, NoAnswerError, ServerFaultError
from components.cloud.launch_token import machine_to_adopt
from components.cloud.models import Instance, LaunchRequest, Offer

LOOKS_FOR_A_LOST_LAUNCH = 6
"""A new instance may be missing from the list for some seconds (an assumption: two clients code for it)."""

REPORT_INTERVAL_S = 60.0


class NoCapacityError(CloudError):
    """No candidate had capacity before the deadline."""


class TooExpensiveError(CloudError):
    """Every candidate costs more than was allowed."""


@dataclass(frozen=True)
class Candidate:
    """A machine that would do."""

    instance_type: str
    region: str

    def __str__(self) -> str:
        return f"{self.instance_type} in {self.region}"


@dataclass(frozen=True)
class Launched:
    """A machine that was launched, or found to have been launched before."""

    instance_id: str
    instance_type: str
    region: str
    price_cents_per_hour: int


@dataclass(frozen=True)
class LaunchOrder:
    """What to launch and how long to try. `template` is completed with type and region of a candidate."""

    candidates: tuple[Candidate, ...]
    template: LaunchRequest
    rulesets: Mapping[str, str]
    """Id of the firewall ruleset by region."""
    token: str
    max_price_cents_per_hour: int | None
    capacity_timeout_s: float


def launch(client: LambdaClient, order: LaunchOrder) -> Launched:
    """Launch the first candidate that can be had. `NoCapacityError`, `TooExpensiveError`, or the API's refusal."""
    earlier = machine_to_adopt(client, order.token)
    if earlier is not None:
        return _adopted(earlier)
    deadline = time.monotonic() + order.capacity_timeout_s
    reported = float("-inf")
    while True:
        require_engine("wait for capacity and launch")
        offers = client.offers()
        affordable = _affordable(order, offers)
        refused: dict[Candidate, str] = {}
        for candidate in affordable:
            if not _has_capacity(offers[candidate.instance_type], candidate.region):
                refused[candidate] = "no capacity listed"
                continue
            try:
                return _launch_one(client, order, candidate, offers[candidate.instance_type])
            except InsufficientCapacityError:
                refused[candidate] = "listed, but refused for lack of capacity"
        now = time.monotonic()
        table = "; ".join(f"{candidate}: {reason}" for candidate, reason in refused.items())
        if now > deadline:
            raise NoCapacityError(
                f"no capacity within {order.capacity_timeout_s / 60:.0f} min ({table}): name more instanceTypes or "
                "regions, or raise capacityTimeoutMinutes"
            )
        if now - reported >= REPORT_INTERVAL_S:
            reported = now
            print(f"waiting for capacity, {(deadline - now) / 60:.0f} min left ({table})")
        client.pause()


def _affordable(order: LaunchOrder, offers: Mapping[str, Offer]) -> list[Candidate]:
    known = [candidate for candidate in order.candidates if candidate.instance_type in offers]
    if not known:
        names = ", ".join(dict.fromkeys(candidate.instance_type for candidate in order.candidates))
        raise CloudError(f"Lambda has no instance type {names}; it has {', '.join(sorted(offers))}")
    limit = order.max_price_cents_per_hour
    affordable = [c for c in known if limit is None or _price(offers[c.instance_type]) <= limit]
    if not affordable and limit is not None:
        cheapest = min(_price(offers[candidate.instance_type]) for candidate in known)
        raise TooExpensiveError(
            f"the cheapest candidate costs ${cheapest / 100:.2f} an hour and maxPricePerHour is ${limit / 100:.2f}: "
            "nothing was launched"
        )
    return affordable


def _launch_one(client: LambdaClient, order: LaunchOrder, candidate: Candidate, offer: Offer) -> Launched:
    ruleset = order.rulesets.get(candidate.region)
    request = order.template.model_copy(
        update={
            "instance_type_name": candidate.instance_type,
            "region_name": candidate.region,
            "firewall_rulesets": [{"id": ruleset}] if ruleset else [],
        }
    )
    require_engine(f"launch {candidate}")
    try:
        instance_id = client.launch(request)
    except (NoAnswerError, ServerFaultError) as trouble:
        for found in _looks_for(client, order.token):
            return _adopted(found)
        raise CloudError(
            f"{trouble}; no machine with the launch token of this stack has appeared: run `pulumi up` again, it looks "
            "for one before it launches"
        ) from None
    # Said before anything else can go wrong, so that the id is on the screen at least.
    print(f"launched instance {instance_id}: {candidate}, ${_price(offer) / 100:.2f} an hour")
    return Launched(instance_id, candidate.instance_type, candidate.region, _price(offer))


def _looks_for(client: LambdaClient, token: str) -> Iterator[Instance]:
    for _ in range(LOOKS_FOR_A_LOST_LAUNCH):
        found = machine_to_adopt(client, token)
        if found is not None:
            yield found
            return
        client.pause()


def _adopted(instance: Instance) -> Launched:
    price = instance.instance_type.price_cents_per_hour
    print(f"took over instance {instance.id}, which an earlier launch of this stack made")
    return Launched(instance.id, instance.instance_type.name, instance.region.name, price)


def _has_capacity(offer: Offer, region: str) -> bool:
    return any(available.name == region for available in offer.regions_with_capacity_available)


def _price(offer: Offer) -> int:
    return offer.instance_type.price_cents_per_hour
