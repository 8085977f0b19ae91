"""Makes the tokens of launches and ends what carries them, for `LaunchToken`."""

import secrets
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from components.dynamic.clock import Patience, wait_until
from components.dynamic.inputs import Inputs, Properties
from components.dynamic.provider import Created
from components.lambda_cloud.api.models import GONE, Instance
from components.lambda_cloud.fresh import note_fresh
from components.lambda_cloud.instance.launch_order import TOKEN_TAG
from components.lambda_cloud.instance.termination import terminate_instance
from components.lambda_cloud.provider import LambdaProvider

if TYPE_CHECKING:
    from components.lambda_cloud.api.client import LambdaClient

LAST_LOOKS = 3
"""How often the end of a token looks for machines when it does not know of its launches: 10 s at Lambda's pace."""


def instances_with_token(client: "LambdaClient", token: str, since: float | None = None) -> list[Instance]:
    """The machines of a launch token that still exist, those about to end included."""
    return [i for i in client.instances(since) if i.tag(TOKEN_TAG) == token and i.status not in GONE]


def end_machines_with_token(client: "LambdaClient", token: str) -> None:
    """End every machine that carries the token, those too that do not show yet."""
    note = client.journal.last(token)
    if note is None:
        # Made elsewhere, or never launched with: what may have been sent a moment ago shows within some seconds.
        looks_for = (LAST_LOOKS - 1) * client.limits.poll_interval
    elif note.is_settled:
        looks_for = 0.0
    else:
        looks_for = client.limits.visible_within - note.age
    # Many tokens end at the same time, and one list does for all of them.
    since = client.recently() if note and note.is_settled else None

    def end_what_shows() -> None:
        for instance in instances_with_token(client, token, since):
            print(f"terminating instance {instance.id}, which this stack launched and its state does not know")
            terminate_instance(client, instance.id)

    # One that shows is no reason to stop: there may be another.
    wait_until(end_what_shows, Patience(client.clock, looks_for), client.pause)


class LaunchTokenInputs(Inputs):
    """A token needs nothing. `held` is what its machine will hold, named for the order of removal alone."""

    held: list[str] = Field(default_factory=list)


class LaunchTokenProvider(LambdaProvider[LaunchTokenInputs]):
    """Makes the token, and at the end removes every machine that still carries it."""

    inputs: ClassVar[type[Inputs]] = LaunchTokenInputs

    def create_resource(self, inputs: LaunchTokenInputs) -> Created:
        token = secrets.token_hex(16)
        note_fresh(token)
        return Created(token, {"token": token})

    def delete_resource(self, id_: str, state: Properties) -> None:
        client = self.client
        # A launch that another process has under way is waited for: its machine would come after the last look.
        with client.journal.alone(id_, timeout=client.limits.launch_timeout * 2):
            end_machines_with_token(client, id_)
        client.journal.forget(id_)

    def ignores_change(self, name: str, state: Properties, inputs: Properties) -> bool:
        """What is held may change with the machine; the token is its mark for life."""
        return True
