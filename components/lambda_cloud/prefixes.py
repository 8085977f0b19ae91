"""What names in the account begin with, and that none is given twice in one stack."""

from typing import Any

import pulumi


def default_prefix(name: str, longest: int) -> str:
    """What a name in the account begins with, so that people see whose it is: project, stack and resource."""
    return f"{pulumi.get_project()}-{pulumi.get_stack()}-{name}"[:longest].rstrip("-")


_claimed: set[tuple[Any, ...]] = set()


def claim(kind: str, *name: Any) -> None:
    """Say that this stack makes an object of this name; `RunError` when it does so already.

    Objects are found again by their names, so two of one name would be taken for each other. Names that are known
    only later are not looked at.
    """
    stack = pulumi.runtime.get_root_resource()
    if stack is None or not all(isinstance(part, str) for part in name):
        return
    entry = (stack, kind, *name)
    if entry in _claimed:
        raise pulumi.RunError(
            # The other parts are not said: one may be a whole key.
            f"two resources of this stack are a {kind} {name[0]}: give one of them another name_prefix"
        )
    _claimed.add(entry)
