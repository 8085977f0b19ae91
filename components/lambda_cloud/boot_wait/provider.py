"""Waits until machines can be used, for `BootWait`."""

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from components.dynamic.clock import Patience
from components.dynamic.inputs import Inputs, Part, Properties
from components.dynamic.provider import Created
from components.lambda_cloud.boot_wait.poller import Awaited, wait_for_boot
from components.lambda_cloud.provider import LambdaProvider
from components.lambda_cloud.ssh_key.provider import PublicKey


class MachineInputs(Part):
    """One machine to wait for."""

    instance_id: str = Field(min_length=1)
    public_host_key: PublicKey | None = None


class BootWaitInputs(Inputs):
    """What is waited for, checked."""

    machines: list[MachineInputs] = Field(min_length=1)
    ssh_port: int | None = Field(default=None, ge=1, le=65535)
    timeout_seconds: int = Field(default=1800, gt=0)

    @property
    def awaited(self) -> list[Awaited]:
        """The same in the poller's words."""
        return [Awaited(one.instance_id, one.public_host_key) for one in self.machines]


class BootWaitProvider(LambdaProvider[BootWaitInputs]):
    """Waits once; for machines that are new in the list, again."""

    inputs: ClassVar[type[Inputs]] = BootWaitInputs
    updatable: ClassVar[frozenset[str]] = frozenset({"machines", "ssh_port", "timeout_seconds"})
    # Somebody may give the private half where the public one belongs.
    secret_inputs: ClassVar[frozenset[str]] = frozenset({"machines"})

    def ignores_change(self, name: str, state: Properties, inputs: Properties) -> bool:
        """Another patience changes nothing for machines that are up."""
        return name == "timeout_seconds"

    def create_resource(self, inputs: BootWaitInputs) -> Created:
        return Created(inputs.machines[0].instance_id, self._wait(inputs))

    def update_resource(self, id_: str, inputs: BootWaitInputs, state: Properties) -> Properties:
        return self._wait(inputs)

    def read_resource(self, id_: str, state: Properties) -> Properties | None:
        ids: Sequence[str] = [machine["instance_id"] for machine in state["machines"]]
        there = {one.id: one for one in self.client.instances(self.client.recently())}
        if any(id_ not in there or there[id_].is_over for id_ in ids):
            return None
        old = dict(zip(ids, state.get("ips") or [None] * len(ids), strict=True))
        return {"ips": [there[id_].ip or old[id_] for id_ in ids]}

    def _wait(self, inputs: BootWaitInputs) -> Properties:
        client = self.client
        patience = Patience(client.clock, inputs.timeout_seconds)
        booted = wait_for_boot(client, inputs.awaited, inputs.ssh_port, patience)
        return {
            "ips": [instance.ip for instance in booted],
            "private_ips": [instance.private_ip for instance in booted],
            "hostnames": [instance.hostname for instance in booted],
            "seconds": round(patience.used()),
            "until": round(client.clock.now()),
        }
