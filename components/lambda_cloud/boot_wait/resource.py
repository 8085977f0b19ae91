"""Waiting until machines can be used, as a resource apart from their launch.

The launch returns the id at once, so that the state knows the machine before anything can fail; all waiting is done
here, for many machines with one poller.
"""

from typing import Any, NotRequired, TypedDict

import pulumi
from pulumi.dynamic import Resource

from components.dynamic.lazy_provider import LazyProvider

PROVIDER = LazyProvider("components.lambda_cloud.boot_wait.provider:BootWaitProvider")


class MachineArgs(TypedDict):
    """One machine to wait for."""

    instance_id: pulumi.Input[str]
    public_host_key: NotRequired[pulumi.Input[str]]
    """The key that its SSH server has to show, OpenSSH's one-line form; what answers without it is not it."""


class BootWaitArgs(TypedDict):
    """Arguments of `BootWait`."""

    machines: pulumi.Input[list[MachineArgs]]
    """Name all machines of a stack in one wait: a wait apiece would hold up the launches that are still to come."""
    ssh_port: NotRequired[pulumi.Input[int]]
    """Where SSH has to answer, 22 at Lambda. SSH was seen to answer 27 to 62 s before Lambda says `active`. Unset,
    `active` is waited for, and nothing is connected to."""
    timeout_seconds: NotRequired[pulumi.Input[int]]
    """How long to wait before giving up, 1800 if unset; the machines are left as they are, the next `up` waits on."""


class BootWait(Resource, module="lambdacloud", name="BootWait"):
    """Machines that have an address and answer SSH. Outputs are in the order of `machines`."""

    ips: pulumi.Output[list[str]]
    private_ips: pulumi.Output[list[str | None]]
    hostnames: pulumi.Output[list[str | None]]
    seconds: pulumi.Output[int]
    """How long it took."""
    until: pulumi.Output[int]
    """When it was over, by this computer's clock: seconds since 1970. Unset by versions before this output."""

    def __init__(self, name: str, args: BootWaitArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        props: dict[str, Any] = {**dict.fromkeys(("ips", "private_ips", "hostnames", "seconds", "until")), **args}
        super().__init__(PROVIDER, name, props, opts)
