"""Makes the mark of a stack and removes what bears it, for `StackMark`."""

import secrets
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from components.dynamic.inputs import Inputs, Properties
from components.dynamic.provider import Created
from components.lambda_cloud.fresh import note_fresh
from components.lambda_cloud.global_rules.edit import remove_own_rules
from components.lambda_cloud.in_use import delete_when_free
from components.lambda_cloud.provider import LambdaProvider
from components.lambda_cloud.stack_mark.resource import MARK_LENGTH

if TYPE_CHECKING:
    from components.lambda_cloud.api.client import LambdaClient


class StackMarkInputs(Inputs):
    """A mark needs nothing."""


class StackMarkProvider(LambdaProvider[StackMarkInputs]):
    """Makes the mark, and at the end removes what still bears it."""

    inputs: ClassVar[type[Inputs]] = StackMarkInputs

    def create_resource(self, inputs: StackMarkInputs) -> Created:
        mark = secrets.token_hex(MARK_LENGTH // 2)
        note_fresh(mark)
        return Created(mark, {"mark": mark})

    def delete_resource(self, id_: str, state: Properties) -> None:
        sweep(self.client, id_)


def sweep(client: "LambdaClient", mark: str) -> None:
    """Delete every key, ruleset and global rule that bears the mark."""
    for key in client.ssh_keys():
        if key.name.endswith(f"-{mark}"):
            _delete(client, f"SSH key {key.name}", partial(client.delete_ssh_key, key.id))
    for ruleset in client.rulesets():
        if ruleset.name.endswith(f"-{mark}"):
            _delete(client, f"firewall ruleset {ruleset.name}", partial(client.delete_ruleset, ruleset.id))
    remove_own_rules(client, mark)


def _delete(client: "LambdaClient", what: str, delete: Callable[[], None]) -> None:
    print(f"deleting {what}, which this stack made and its state does not know")
    delete_when_free(client, what, delete)
