"""The owner of a launch: made before the machine, removed after it.

A reply to a launch can be lost, and with it the id of a machine that bills. So each launch carries a random token as
a tag. The token is a resource of its own: it is in the state before the launch, a later `up` finds the machine by it,
and `destroy` ends with looking for machines that still carry it, which makes it complete even after an `up` that was
killed at the worst moment.
"""

from typing import Any

import pulumi
from pulumi.dynamic import Resource

from components.dynamic.lazy_provider import LazyProvider

PROVIDER = LazyProvider("components.lambda_cloud.launch_token.provider:LaunchTokenProvider")


class LaunchToken(Resource, module="lambdacloud", name="LaunchToken"):
    """A random token, 32 hexadecimal digits, that marks the machines of one launch. `Instance` makes its own.

    `held` are outputs of what the machine will hold (key, rulesets, filesystems): a machine that the state does not
    know is ended by the end of its token, and this has to come before theirs.
    """

    token: pulumi.Output[str]

    def __init__(
        self, name: str, held: pulumi.Input[list[str]] | None = None, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        props: dict[str, Any] = {"token": None, "held": held or []}
        super().__init__(PROVIDER, name, props, opts)
