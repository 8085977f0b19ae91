"""The mark of a stack: what it creates in the account bears it, so that nothing of it can be lost.

Keys and rulesets have no tags; their names end in the mark, eight random hexadecimal digits that the state holds
before anything is created. A name is then the stack's own even where two users both have a stack `dev`; an object made
by a run that was killed before it heard of it is found by the next; and `destroy` ends with taking away whatever still
bears the mark.
"""

from collections.abc import Sequence
from typing import Any

import pulumi
from pulumi.dynamic import Resource

from components.dynamic.lazy_provider import LazyProvider

PROVIDER = LazyProvider("components.lambda_cloud.stack_mark.provider:StackMarkProvider")

MARK_LENGTH = 8
RESOURCE_NAME = "lambdacloud-mark"


class StackMark(Resource, module="lambdacloud", name="StackMark"):
    """The mark of this stack. `stack_mark()` gives the one there is."""

    mark: pulumi.Output[str]

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(PROVIDER, name, {"mark": None}, opts)


_marks: dict[Any, StackMark] = {}
"""By the stack that is being made; several in one process only in tests."""


def stack_mark(after: Sequence[pulumi.Resource] = ()) -> pulumi.Output[str]:
    """The mark of the stack that this program makes; it becomes a resource at the first call, made `after` others."""
    stack = pulumi.runtime.get_root_resource()
    if stack not in _marks:
        _marks[stack] = StackMark(RESOURCE_NAME, pulumi.ResourceOptions(depends_on=list(after)))
    return _marks[stack].mark
