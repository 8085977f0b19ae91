"""The owner of a launch: made before the machine, removed after it.

A reply to a launch can be lost, and with it the id of a machine that bills. So each launch carries a random token as
a tag. The token is a resource of its own: it is in the state before the launch, a later `up` finds the machine by it,
and `destroy` ends with looking for machines that still carry it, which makes it complete even after an `up` that was
killed at the worst moment.
"""

import secrets
from typing import Any, ClassVar

import pulumi
from pulumi.dynamic import Resource

from components.cloud.client import LambdaClient
from components.cloud.instance_end import end_instance
from components.cloud.models import GONE, Instance
from components.cloud.provider import Inputs, LambdaProvider, Made, Properties

TOKEN_TAG = "lambda-vllm-launch"  # noqa: S105 - the name of a tag

LAST_LOOKS = 3
"""How often the end of a token looks for machines: a new one may be missing from the list for some seconds."""


def instances_with_token(client: LambdaClient, token: str) -> list[Instance]:
    """The machines of a launch token that still exist, those about to end included."""
    return [i for i in client.instances() if i.tag(TOKEN_TAG) == token and i.status not in GONE]


class LaunchTokenInputs(Inputs):
    """A token needs nothing."""


class LaunchTokenProvider(LambdaProvider[LaunchTokenInputs]):
    """Makes the token, and at the end removes every machine that still carries it."""

    inputs: ClassVar[type[Inputs]] = LaunchTokenInputs

    def make(self, inputs: LaunchTokenInputs) -> Made:
        token = secrets.token_hex(16)
        return Made(token, {"token": token})

    def remove(self, id_: str, state: Properties) -> None:
        client = self.client
        for look in range(LAST_LOOKS):
            if look:
                client.pause()
            for instance in instances_with_token(client, id_):
                print(f"terminating instance {instance.id}, which this stack launched and its state does not know")
                end_instance(client, instance.id)


class LaunchToken(Resource, module="lambdacloud", name="LaunchToken"):
    """A random token, 32 hexadecimal digits, that marks the machines of one launch."""

    token: pulumi.Output[str]

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        props: dict[str, Any] = {"token": None}
        super().__init__(LaunchTokenProvider(), name, props, opts)
