"""Getting one machine out of a list of acceptable ones, once.

Candidates are walked in order of preference; a launch that fails for lack of capacity goes on to the next, any other
refusal ends the walk. When none has capacity, the walk is repeated until a deadline. A launch whose reply was lost is
never followed by another one blindly: the launch token is looked for until a machine must have shown.
"""

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

from components.dynamic.clock import NowAndThen, Patience, wait_until
from components.dynamic.engine import require_engine
from components.lambda_cloud.api.errors import TRANSIENT, CloudError, InsufficientCapacityError, NotFromApiError
from components.lambda_cloud.api.models import REGIONS_WITHOUT_FIREWALL, Instance
from components.lambda_cloud.api.shared_list import ANY
from components.lambda_cloud.fresh import is_fresh
from components.lambda_cloud.instance.candidates import Candidate, Market, select_candidates, table
from components.lambda_cloud.instance.launch_order import Launched, LaunchOrder
from components.lambda_cloud.instance.termination import terminate_instance
from components.lambda_cloud.launch_token.provider import instances_with_token

if TYPE_CHECKING:
    from components.lambda_cloud.api.client import LambdaClient

REPORT_INTERVAL_S = 60.0

_TURN = threading.Lock()
"""Held from the look at the market to the answer of the launch. Launches leave one after the other anyway; in turn,
each decides on a market that is as fresh as can be."""


class NoCapacityError(CloudError):
    """No candidate had capacity before the deadline."""


def launch(client: "LambdaClient", order: LaunchOrder) -> Launched:
    """Launch the first candidate that can be had. `NoCapacityError`, `NoCandidateError`, or the API's refusal."""
    patience = Patience(client.clock, order.capacity_timeout_s)
    report = NowAndThen(client.clock, REPORT_INTERVAL_S)
    refused: Mapping[Candidate, str] = {}

    def launched() -> Launched | None:
        nonlocal refused
        require_engine("wait for capacity and launch")
        with _TURN, client.journal.alone(order.token, timeout=client.limits.launch_timeout * 2):
            earlier = adopt(client, order)
            if earlier is not None:
                return earlier
            made, refused = _walk(client, order)
        if made is None and patience.left() > 0 and report.is_due():
            print(f"waiting for capacity, {_duration(patience.left())} left ({table(refused)})")
        return made

    found = wait_until(launched, patience, client.pause)
    if found is None:
        raise NoCapacityError(
            f"no machine within {_duration(order.capacity_timeout_s)} ({table(refused)}): name more "
            "instanceTypes or regions, raise capacityTimeoutMinutes, or run `pulumi up` again"
        )
    return found


def adopt(client: "LambdaClient", order: LaunchOrder) -> Launched | None:
    """The machine that an earlier launch with this token made, if it is what is asked for now; others are ended."""
    kept: Launched | None = None
    for instance in _earlier_machines(client, order.token):
        if kept is None and order.is_met_by(instance):
            print(f"took over instance {instance.id}, which an earlier launch of this stack made")
            kind = instance.instance_type
            kept = Launched(instance.id, kind.name, instance.region.name, kind.price_cents_per_hour)
        else:
            why = "it does not fit" if kept is None else "one is enough"
            print(f"ending instance {instance.id} ({instance.status}): an earlier launch made it, and {why}")
            terminate_instance(client, instance.id)
    return kept


def _earlier_machines(client: "LambdaClient", token: str) -> list[Instance]:
    """Living machines of the token; while a launch may be under way that does not show yet, they are waited for."""
    note = client.journal.last(token)
    if note is None and is_fresh(token):
        return []
    if note is None or note.is_settled:
        # Nobody has launched with it as far as this computer knows, so that one list does for all launches of a run.
        return [i for i in instances_with_token(client, token, ANY) if not i.is_over]
    patience = Patience(client.clock, client.limits.visible_within - note.age)
    found = wait_until(lambda: instances_with_token(client, token) or None, patience, client.pause)
    return [i for i in found or () if not i.is_over]


def _walk(client: "LambdaClient", order: LaunchOrder) -> tuple[Launched | None, Mapping[Candidate, str]]:
    """Try each candidate once: the machine, or why there is none from each."""
    try:
        market = _look_at_market(client, order)
    except TRANSIENT as trouble:
        return None, dict.fromkeys(order.candidates, str(trouble))
    selection = select_candidates(order.candidates, order.template, order.max_price_cents_per_hour, market)
    refused = dict(selection.refused)
    for candidate in selection.eligible:
        if not market.has_capacity(candidate):
            refused[candidate] = "no capacity listed"
            continue
        try:
            return _launch_one(client, order, candidate, market), refused
        except InsufficientCapacityError:
            refused[candidate] = "listed, but refused for lack of capacity"
        except TRANSIENT as trouble:
            # What is wrong is the API, not the candidate; the next one would not fare better.
            refused[candidate] = str(trouble)
            break
    return None, refused


def _look_at_market(client: "LambdaClient", order: LaunchOrder) -> Market:
    """Prices and capacity of now, or of the launch before; images, which change by the week, of this run."""
    template = order.template
    names_filesystems = template.file_system_names or template.file_system_mounts
    return Market(
        offers=client.offers(since=client.clock.monotonic() - client.limits.launch_interval),
        images=client.images(since=ANY),
        filesystems=client.filesystems() if names_filesystems else (),
    )


def _launch_one(client: "LambdaClient", order: LaunchOrder, candidate: Candidate, market: Market) -> Launched:
    """One launch; after an answer that was lost, the machine if it shows, else the trouble again."""
    if candidate.region in REGIONS_WITHOUT_FIREWALL:
        print(f"{candidate.region} ignores firewall rules: every port of this machine will be open to the world")
    kind = market.kind(candidate)

    def last_word() -> None:
        require_engine(f"launch {candidate}")
        client.journal.note_sent(order.token)

    try:
        instance_id = client.launch(order.request(candidate), before_sending=last_word)
    except NotFromApiError:
        # Turned away by the edge (429 and the like) before the API has seen it.
        client.journal.note_settled(order.token)
        raise
    except TRANSIENT:
        # Given up, not over: Lambda may carry it out as late as now, so that patience begins here.
        client.journal.note_sent(order.token)
        found = adopt(client, order)
        if found is None:
            raise
        return found
    except CloudError:
        client.journal.note_settled(order.token)
        raise
    # Said before anything else can go wrong, so that the id is on the screen at least.
    print(f"launched instance {instance_id}: {candidate}, {market.price(candidate)} an hour")
    return Launched(instance_id, candidate.instance_type, candidate.region, kind.price_cents_per_hour)


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"
