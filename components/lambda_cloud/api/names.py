"""Names as Lambda takes them."""

from typing import Annotated

from pydantic import AfterValidator

from components.dynamic.inputs import written

TypeName = Annotated[str, written(r"[a-z0-9][a-z0-9_]{0,63}", "an instance type such as gpu_1x_gh200")]
RegionName = Annotated[str, written(r"[a-z][a-z0-9-]{0,63}", "a region such as us-east-3")]
Mark = Annotated[str, written(r"[0-9a-f]{8}", "a stack's mark, 8 hexadecimal digits")]
ObjectId = Annotated[str, written(r"[!-~]{1,64}", "the id of an object, which is not empty")]


def name_beginning(longest: int) -> AfterValidator:
    """What a name in the account begins with; Lambda limits the length of the whole, and a list shows one line."""
    return written(rf"[^\x00-\x1f\x7f]{{1,{longest}}}", f"1 to {longest} characters on one line")


FilesystemName = Annotated[
    str, written(r"[a-zA-Z][0-9a-zA-Z-]{0,59}", "1 to 60 letters, digits and dashes, a letter first")
]
