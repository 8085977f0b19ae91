"""Names as Lambda takes them, and names that must not be given twice in one stack."""

from typing import Annotated, Any

import pulumi
from pydantic import AfterValidator

from components.cloud.checking import written

TypeName = Annotated[str, written(r"[a-z0-9][a-z0-9_]{0,63}", "an instance type such as gpu_1x_gh200")]
RegionName = Annotated[str, written(r"[a-z][a-z0-9-]{0,63}", "a region such as us-east-3")]
Mark = Annotated[str, written(r"[0-9a-f]{8}", "a stack's mark, 8 hexadecimal digits")]
ObjectId = Annotated[str, written(r"[!-~]{1,64}", "the id of an object, which is not empty")]


def name_beginning(longest: int) -> AfterValidator:
    """What a name in the account begins with; Lambda limits the length of the whole, and a list shows one line."""
    return written(rf"[^\x00-\x1f\x7f]{{1,{longest}}}", f"1 to {longest} characters on one line")


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
