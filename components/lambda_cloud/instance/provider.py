"""Launches, renames and ends machines, for `Instance`."""

from typing import ClassVar

import pulumi
from pulumi.dynamic import CheckFailure, CheckResult

from components.dynamic.inputs import Inputs, Properties
from components.dynamic.provider import Created, canonical
from components.lambda_cloud.api.models import Instance as InstanceAnswer
from components.lambda_cloud.api.models import InstanceStatus
from components.lambda_cloud.instance.inputs import InstanceInputs
from components.lambda_cloud.instance.termination import terminate_instance
from components.lambda_cloud.removals import RemovalNotingProvider
from components.lambda_cloud.settle import settle


class InstanceProvider(RemovalNotingProvider[InstanceInputs]):
    """Launches and gives the id at once; what comes later (the address, SSH) is `BootWait`'s."""

    inputs: ClassVar[type[Inputs]] = InstanceInputs
    updatable: ClassVar[frozenset[str]] = frozenset({"name"})
    secret_inputs: ClassVar[frozenset[str]] = frozenset({"user_data"})
    hashed_inputs: ClassVar[frozenset[str]] = frozenset({"user_data"})

    def check(self, _olds: Properties, news: Properties) -> CheckResult:
        """Also whether a new machine may be launched. The engine gives no old inputs when it is about to make one, be
        it the first or one in the place of another, by our comparison or by the user's order, and asks before it ends
        the other (Pulumi 3.259, `step_generator.go`)."""
        result = super().check(_olds, news)
        # Of the moment, so that no state holds it.
        obstacles = result.inputs.pop("obstacles", [])
        if _olds or result.failures or pulumi.contains_unknowns(obstacles):
            return result
        reason = "no new machine can be launched, and nothing was done to one that runs"
        return CheckResult(result.inputs, [CheckFailure("", f"{reason}: {one}") for one in obstacles])

    def create_resource(self, inputs: InstanceInputs) -> Created:
        from components.lambda_cloud.instance.launch import (
            launch,  # only here: it loads the client, which a preview does without
        )

        launched = launch(self.client, inputs.order())
        return Created(
            launched.instance_id,
            {
                "instance_type": launched.instance_type,
                "region": launched.region,
                "price_cents_per_hour": launched.price_cents_per_hour,
                "status": str(InstanceStatus.BOOTING),
            },
        )

    def read_resource(self, id_: str, state: Properties) -> Properties | None:
        instance = self.client.instance(id_, self.client.recently())
        return None if instance is None or instance.is_over else seen(instance)

    def update_resource(self, id_: str, inputs: InstanceInputs, state: Properties) -> Properties:
        client = self.client

        def renamed() -> InstanceAnswer | None:
            instance = client.instance(id_)
            return instance if instance and (instance.name or "") == inputs.name else None

        settle(client, f"rename instance {id_}", lambda: client.rename(id_, inputs.name), renamed)
        return {}

    def delete_resource(self, id_: str, state: Properties) -> None:
        client = self.client
        if terminate_instance(client, id_):
            client.journal.note_settled(str(state["launch_token"]))

    def needs_replacement(self, state: Properties) -> str | None:
        """A machine that Lambda calls unhealthy bills and does not work."""
        return "status" if state.get("status") == InstanceStatus.UNHEALTHY else None

    def deletes_before_replace(self, state: Properties, inputs: Properties) -> bool:
        """Two at a time would bill, and may be one more than the quota allows."""
        return True

    def ignores_change(self, name: str, state: Properties, inputs: Properties) -> bool:
        """Candidates, rulesets and limits of the launch matter to a machine only as far as it is one of them."""
        if name in {"max_price_cents_per_hour", "capacity_timeout_seconds"}:
            return True
        if name == "hostname":
            # Without one Lambda chooses.
            return inputs.get(name) is None
        if pulumi.contains_unknowns(inputs.get(name)):
            return False
        if name in {"instance_types", "regions"}:
            return state.get(name.removesuffix("s")) in inputs[name]
        if name == "firewall_rulesets":
            region = state.get("region")
            old, new = ((source.get(name) or {}).get(region) for source in (state, inputs))
            return bool(canonical(old) == canonical(new))
        return False


def seen(instance: InstanceAnswer) -> Properties:
    """What the cloud says of an instance. Its Jupyter token and URL are secrets that nobody here needs."""
    return {
        "name": instance.name or "",
        "status": instance.status,
        "ip": instance.ip,
        "private_ip": instance.private_ip,
        "hostname": instance.hostname,
        "instance_type": instance.instance_type.name,
        "region": instance.region.name,
        "price_cents_per_hour": instance.instance_type.price_cents_per_hour,
    }
