"""One poller for the boot of many machines."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.dynamic.clock import NowAndThen, Patience, wait_until
from components.dynamic.engine import require_engine
from components.lambda_cloud.api.errors import TRANSIENT, CloudError
from components.lambda_cloud.api.models import Instance, InstanceStatus
from components.lambda_cloud.boot_wait.ssh_probe import ssh_trouble
from components.lambda_cloud.instance.launch_order import TOKEN_TAG

if TYPE_CHECKING:
    from components.lambda_cloud.api.client import LambdaClient

REPORT_INTERVAL_S = 15.0
PROBES_AT_ONCE = 16

_HOPELESS: dict[str, str] = {
    InstanceStatus.UNHEALTHY: "Lambda calls it unhealthy, and it bills: run `pulumi refresh`, then `pulumi up`, which "
    "replaces it; or `pulumi destroy`",
    InstanceStatus.TERMINATING: "somebody is terminating it: run `pulumi refresh`, then `pulumi up`",
    InstanceStatus.TERMINATED: "somebody terminated it: run `pulumi refresh`, then `pulumi up`",
    InstanceStatus.PREEMPTED: "Lambda took it back: run `pulumi refresh`, then `pulumi up`",
}

Probe = Callable[[str, int, str | None], str | None]


class BootError(CloudError):
    """A machine will not become usable, or not in time."""


@dataclass(frozen=True)
class Awaited:
    """A machine that is waited for, and the SSH host key that it has to show, if that is known."""

    instance_id: str
    public_host_key: str | None = None


def wait_for_boot(
    client: "LambdaClient",
    awaited: Sequence[Awaited],
    ssh_port: int | None,
    patience: Patience,
    probe: Probe = ssh_trouble,
) -> list[Instance]:
    """The machines, in order, when all can be used; `BootError` when one cannot be, or not while the patience lasts.

    Machines that bear a launch token of the awaited but are others (a launch whose reply was lost, and that showed
    late) are ended on the way.
    """
    waiting: dict[str, str] = {}
    report = NowAndThen(client.clock, REPORT_INTERVAL_S, first=REPORT_INTERVAL_S)

    def usable() -> list[Instance] | None:
        nonlocal waiting
        require_engine("wait on for the boot")
        # What an answer does not show yet may be there when it comes.
        waited = patience.used()
        there = _look(client)
        if there is not None:
            _end_surplus(client, awaited, there)
            waiting = _waits_for(client, awaited, there, ssh_port, probe, waited)
            if not waiting:
                return [there[one.instance_id] for one in awaited]
        if report.is_due():
            print(f"{_in_words(waiting)}, {patience.used():.0f} s")
        return None

    found = wait_until(usable, patience, client.pause)
    if found is None:
        raise BootError(
            f"after {patience.seconds:.0f} s {_in_words(waiting)}; what is up bills: run `pulumi up` to wait on, or "
            "`pulumi destroy`"
        )
    return found


def _look(client: "LambdaClient") -> dict[str, Instance] | None:
    """All instances of the account by id, as they were a moment ago; None while Lambda gives no answer."""
    try:
        return {one.id: one for one in client.instances(client.clock.monotonic() - client.limits.poll_interval / 2)}
    except TRANSIENT:
        return None


def _end_surplus(client: "LambdaClient", awaited: Sequence[Awaited], there: dict[str, Instance]) -> None:
    """More than one machine of a launch bills; the one that the state knows is kept."""
    ids = {one.instance_id for one in awaited}
    tokens = {there[id_].tag(TOKEN_TAG) for id_ in ids & there.keys()} - {None}
    for instance in there.values():
        if instance.id not in ids and instance.tag(TOKEN_TAG) in tokens and not instance.is_over:
            print(f"ending instance {instance.id}: a launch whose answer was lost made it, and one is enough")
            try:
                client.terminate(instance.id)
            except CloudError as trouble:
                # The next look comes soon, and the end of the launch token looks as well.
                print(f"instance {instance.id} could not be ended yet: {trouble}")


def _waits_for(
    client: "LambdaClient",
    awaited: Sequence[Awaited],
    there: dict[str, Instance],
    ssh_port: int | None,
    probe: Probe,
    waited_s: float,
) -> dict[str, str]:
    """What each machine still lacks, by id; empty when all can be used."""
    waiting: dict[str, str] = {}
    hopeless: list[str] = []
    to_probe: list[tuple[Awaited, Instance]] = []
    for one in awaited:
        instance = there.get(one.instance_id)
        if instance is None:
            waiting[one.instance_id] = "Lambda to show it"
            if waited_s > client.limits.visible_within:
                hopeless.append(f"instance {one.instance_id} is gone: run `pulumi refresh`, then `pulumi up`")
        elif instance.status in _HOPELESS:
            hopeless.append(f"instance {one.instance_id} will not come up: {_HOPELESS[instance.status]}")
        elif instance.ip is None:
            waiting[one.instance_id] = f"an address ({instance.status})"
        elif ssh_port is not None:
            to_probe.append((one, instance))
        elif instance.status != InstanceStatus.ACTIVE:
            waiting[one.instance_id] = f"`active` ({instance.status})"
    if hopeless:
        raise BootError("; ".join(hopeless))
    if to_probe and ssh_port is not None:
        with ThreadPoolExecutor(min(PROBES_AT_ONCE, len(to_probe))) as pool:
            troubles = pool.map(lambda pair: probe(pair[1].ip or "", ssh_port, pair[0].public_host_key), to_probe)
            for (one, instance), trouble in zip(to_probe, troubles, strict=True):
                if trouble:
                    waiting[one.instance_id] = f"SSH on {instance.ip}:{ssh_port} ({trouble}, {instance.status})"
    return waiting


def _in_words(waiting: dict[str, str]) -> str:
    """Who waits for what; of many the first three."""
    if not waiting:
        return "Lambda gives no answer"
    some = [f"{id_} waits for {what}" for id_, what in list(waiting.items())[:3]]
    more = [f"and {len(waiting) - 3} more wait"] if len(waiting) > 3 else []
    return "; ".join([*some, *more])
