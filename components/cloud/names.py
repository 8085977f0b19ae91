"""Names as Lambda takes them, and names that must not be given twice in one stack."""

from typing import Annotated, Any

import pulumi
from pydantic import StringConstraints

TypeName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_]*$", max_length=64)]
RegionName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$", max_length=64)]
Mark = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}$")]

_claimed: set[tuple[Any, ...]] = set()


def claim(kind: str, *name: Any) -> None:
    """Say that this stack makes an object of this name; `ValueError` when it does so already.

    Objects are found again by their names, so two of one name would be taken for each other. Names that are known
    only later are not looked at.
    """
    stack = pulumi.runtime.get_root_resource()
    if stack is None or not all(isinstance(part, str) for part in name):
        return
    entry = (stack, kind, *name)
    if entry in _claimed:
        raise ValueError(f"two of this stack are a {kind} {' in '.join(name)}: give one of them another name_prefix")
    _claimed.add(entry)
