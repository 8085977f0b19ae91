"""The mark of a stack: what it creates in the account bears it, so that nothing of it can be lost.

Keys and rulesets have no tags; their names end in the mark, eight random hexadecimal digits that the state holds
before anything is created. A name is then the stack's own even where two users both have a stack `dev`; an object made
by a run that was killed before it heard of it is found by the next; and `destroy` ends with taking away whatever still
bears the mark.
"""

import secrets
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import pulumi
from pulumi.dynamic import Resource

from components.cloud.fresh import note_fresh
from components.cloud.global_rules_edit import remove_own_rules
from components.cloud.in_use import delete_when_free
from components.cloud.provider import Inputs, LambdaProvider, Made, Properties

if TYPE_CHECKING:
    from components.cloud.client import LambdaClient

MARK_LENGTH = 8
RESOURCE_NAME = "lambdacloud-mark"


class StackMarkInputs(Inputs):
    """A mark needs nothing."""


class StackMarkProvider(LambdaProvider[StackMarkInputs]):
    """Makes the mark, and at the end removes what still bears it."""

    inputs: ClassVar[type[Inputs]] = StackMarkInputs

    def make(self, inputs: StackMarkInputs) -> Made:
        mark = secrets.token_hex(MARK_LENGTH // 2)
        note_fresh(mark)
        return Made(mark, {"mark": mark})

    def remove(self, id_: str, state: Properties) -> None:
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


class StackMark(Resource, module="lambdacloud", name="StackMark"):
    """The mark of this stack. `stack_mark()` gives the one there is."""

    mark: pulumi.Output[str]

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(StackMarkProvider(), name, {"mark": None}, opts)


_marks: dict[Any, StackMark] = {}
"""By the stack that is being made; several in one process only in tests."""


def stack_mark() -> pulumi.Output[str]:
    """The mark of the stack that this program makes; it becomes a resource at the first call."""
    stack = pulumi.runtime.get_root_resource()
    if stack not in _marks:
        _marks[stack] = StackMark(RESOURCE_NAME)
    return _marks[stack].mark


def default_prefix(name: str, longest: int) -> str:
    """What a name in the account begins with, so that people see whose it is: project, stack and resource."""
    return f"{pulumi.get_project()}-{pulumi.get_stack()}-{name}"[:longest].rstrip("-")
