"""Waiting until a machine can be used, as a resource apart from the launch.

The launch returns the id at once, so that the state knows the machine before anything can fail; all waiting is done
here.
"""

import socket
import time
from typing import Any, ClassVar, TypedDict

import pulumi
from pulumi.dynamic import Resource
from pydantic import Field

from components.cloud.client import LambdaClient
from components.cloud.engine import require_engine
from components.cloud.errors import TRANSIENT, CloudError
from components.cloud.models import Instance, InstanceStatus
from components.cloud.provider import Inputs, LambdaProvider, Made, Properties

SSH_BANNER = b"SSH-2.0-"
CONNECT_TIMEOUT_S = 5.0
REPORT_INTERVAL_S = 15.0

VISIBLE_WITHIN_S = 60.0
"""A new instance may be unknown to the API for some seconds (an assumption: two clients code for it)."""

_HOPELESS: dict[str, str] = {
    InstanceStatus.UNHEALTHY: "Lambda calls it unhealthy, and it bills: run `pulumi destroy`, then `pulumi up`",
    InstanceStatus.TERMINATING: "somebody is terminating it: run `pulumi refresh`, then `pulumi up`",
    InstanceStatus.TERMINATED: "somebody terminated it: run `pulumi refresh`, then `pulumi up`",
    InstanceStatus.PREEMPTED: "Lambda took it back: run `pulumi refresh`, then `pulumi up`",
}


class BootError(CloudError):
    """The machine will not become usable, or not in time."""


class BootWaitInputs(Inputs):
    """What is waited for, checked."""

    instance_id: str
    ssh_port: int = Field(default=22, ge=1, le=65535)
    timeout_seconds: int = Field(default=1800, gt=0)


class BootWaitProvider(LambdaProvider[BootWaitInputs]):
    """Waits for the address and for SSH. `active` is not waited for: SSH was seen to answer 27 to 62 s before it."""

    inputs: ClassVar[type[Inputs]] = BootWaitInputs
    updatable: ClassVar[frozenset[str]] = frozenset({"timeout_seconds"})

    def make(self, inputs: BootWaitInputs) -> Made:
        client = self.client
        started = time.monotonic()
        reported = started
        while True:
            require_engine("wait on for the boot")
            instance = _look(client, inputs.instance_id, time.monotonic() - started)
            if instance and instance.ip and ssh_answers(instance.ip, inputs.ssh_port):
                seconds = round(time.monotonic() - started)
                return Made(inputs.instance_id, {"ip": instance.ip, "seconds": seconds})
            now = time.monotonic()
            status, waiting_for = _progress(instance, inputs.ssh_port)
            if now - started > inputs.timeout_seconds:
                raise BootError(
                    f"instance {inputs.instance_id} is {status} and still waits for {waiting_for} after "
                    f"{inputs.timeout_seconds} s, and it bills: run `pulumi up` to wait on, or `pulumi destroy`"
                )
            if now - reported >= REPORT_INTERVAL_S:
                reported = now
                print(f"instance {inputs.instance_id}: {status}, waits for {waiting_for}, {now - started:.0f} s")
            client.pause()

    def find(self, id_: str, state: Properties) -> Properties | None:
        instance = self.client.find_instance(id_)
        if instance is None or instance.is_over:
            return None
        return {"ip": instance.ip or state.get("ip")}


def _look(client: LambdaClient, instance_id: str, waited_s: float) -> Instance | None:
    """The instance as it is now; None while it cannot be seen for a reason that passes."""
    try:
        instance = client.find_instance(instance_id)
    except TRANSIENT:
        return None
    if instance is None:
        if waited_s < VISIBLE_WITHIN_S:
            return None
        raise BootError(f"instance {instance_id} is gone: run `pulumi refresh`, then `pulumi up`")
    reason = _HOPELESS.get(instance.status)
    if reason:
        raise BootError(f"instance {instance_id} will not come up: {reason}")
    return instance


def _progress(instance: Instance | None, ssh_port: int) -> tuple[str, str]:
    """State and what is still missing, in words."""
    if instance is None:
        return "not to be seen", "Lambda to show it"
    return instance.status, f"SSH on {instance.ip}:{ssh_port}" if instance.ip else "an address"


def ssh_answers(ip: str, port: int) -> bool:
    """True when something at the address greets as SSH does; the first command checks its host key."""
    try:
        with socket.create_connection((ip, port), CONNECT_TIMEOUT_S) as connection:
            connection.settimeout(CONNECT_TIMEOUT_S)
            return connection.recv(len(SSH_BANNER)) == SSH_BANNER
    except OSError:
        return False


class BootWaitArgs(TypedDict):
    """Arguments of `BootWait`."""

    instance_id: pulumi.Input[str]
    ssh_port: pulumi.Input[int]
    timeout_seconds: pulumi.Input[int]
    """How long to wait before giving up; the machine is left as it is, and the next `up` waits on."""


class BootWait(Resource, module="lambdacloud", name="BootWait"):
    """A machine that has an address and answers SSH."""

    ip: pulumi.Output[str]
    seconds: pulumi.Output[int]
    """How long it took."""

    def __init__(self, name: str, args: BootWaitArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        props: dict[str, Any] = {"ip": None, "seconds": None, **args}
        super().__init__(BootWaitProvider(), name, props, opts)
