"""Getting one machine out of a list of acceptable ones, once.

Candidates are walked in order of preference; a launch that fails for lack of capacity goes on to the next, any other
error ends the walk. When none has capacity, the walk is repeated until a deadline. A launch whose reply was lost is
never sent again blindly: first the launch token is looked for.
"""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass

from components.cloud.client import LambdaClient
from components.cloud.engine import require_engine
from components.cloud.errors import TRANSIENT, CloudError, InsufficientCapacityError, RateLimitedError
from components.cloud.instance_end import end_instance
from components.cloud.launch_token import TOKEN_TAG, instances_with_token
from components.cloud.models import Instance, InstanceStatus, LaunchRequest, Offer, Tag

LOOKS_FOR_A_LOST_LAUNCH = 6
"""A new instance may be missing from the list for some seconds (an assumption: two clients code for it)."""

REPORT_INTERVAL_S = 60.0

ORDER_TAG = "lambda-vllm-order"
"""Hash of all that a machine cannot change any more: image, key, user data, rulesets, tags."""


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

    def request(self, candidate: Candidate) -> LaunchRequest:
        """The launch of one candidate, marked with the token and with what else it is made from."""
        ruleset = self.rulesets.get(candidate.region)
        request = self.template.model_copy(
            update={
                "instance_type_name": candidate.instance_type,
                "region_name": candidate.region,
                "firewall_rulesets": [{"id": ruleset}] if ruleset else [],
            }
        )
        marks = [Tag(key=TOKEN_TAG, value=self.token), Tag(key=ORDER_TAG, value=_fingerprint(request))]
        return request.model_copy(update={"tags": [*request.tags, *marks]})

    def is_met_by(self, instance: Instance) -> bool:
        """True when a machine with our token is one of the candidates, made from the same things, and not broken."""
        candidate = Candidate(instance.instance_type.name, instance.region.name)
        wanted = {tag.key: tag.value for tag in self.request(candidate).tags}
        return (
            candidate in self.candidates
            and instance.tag(ORDER_TAG) == wanted[ORDER_TAG]
            and instance.status != InstanceStatus.UNHEALTHY
        )


def launch(client: LambdaClient, order: LaunchOrder) -> Launched:
    """Launch the first candidate that can be had. `NoCapacityError`, `TooExpensiveError`, or the API's refusal."""
    earlier = _adopt(client, order)
    if earlier is not None:
        return earlier
    deadline = time.monotonic() + order.capacity_timeout_s
    reported = float("-inf")
    while True:
        require_engine("wait for capacity and launch")
        launched, refused = _walk(client, order)
        if launched is not None:
            return launched
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


def _walk(client: LambdaClient, order: LaunchOrder) -> tuple[Launched | None, dict[Candidate, str]]:
    """Try each candidate once: the machine, or why there is none from each."""
    try:
        offers = client.offers()
    except TRANSIENT as trouble:
        return None, dict.fromkeys(order.candidates, str(trouble))
    refused: dict[Candidate, str] = {}
    for candidate in _affordable(order, offers):
        offer = offers[candidate.instance_type]
        if not _has_capacity(offer, candidate.region):
            refused[candidate] = "no capacity listed"
            continue
        try:
            return _launch_one(client, order, candidate, offer), refused
        except InsufficientCapacityError:
            refused[candidate] = "listed, but refused for lack of capacity"
        except RateLimitedError as trouble:
            refused[candidate] = str(trouble)
    return None, refused


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
    request = order.request(candidate)
    try:
        instance_id = client.launch(request, before_sending=lambda: require_engine(f"launch {candidate}"))
    except RateLimitedError:
        raise
    except TRANSIENT as trouble:
        for _ in range(LOOKS_FOR_A_LOST_LAUNCH):
            found = _adopt(client, order)
            if found is not None:
                return found
            client.pause()
        raise CloudError(
            f"{trouble}; no machine with the launch token of this stack has appeared: run `pulumi up` again, it looks "
            "for one before it launches"
        ) from None
    # Said before anything else can go wrong, so that the id is on the screen at least.
    print(f"launched instance {instance_id}: {candidate}, ${_price(offer) / 100:.2f} an hour")
    return Launched(instance_id, candidate.instance_type, candidate.region, _price(offer))


def _adopt(client: LambdaClient, order: LaunchOrder) -> Launched | None:
    """The machine that an earlier launch of this stack made, if it is what is asked for now; if not, it is ended."""
    for instance in instances_with_token(client, order.token):
        if instance.is_over:
            continue
        if not order.is_met_by(instance):
            print(f"ending instance {instance.id} ({instance.status}): an earlier launch made it, and it does not fit")
            end_instance(client, instance.id)
            continue
        print(f"took over instance {instance.id}, which an earlier launch of this stack made")
        kind = instance.instance_type
        return Launched(instance.id, kind.name, instance.region.name, kind.price_cents_per_hour)
    return None


def _has_capacity(offer: Offer, region: str) -> bool:
    return any(available.name == region for available in offer.regions_with_capacity_available)


def _price(offer: Offer) -> int:
    return offer.instance_type.price_cents_per_hour


def _fingerprint(request: LaunchRequest) -> str:
    # The name changes in place.
    return hashlib.sha256(request.model_dump_json(exclude={"name"}).encode()).hexdigest()[:32]
