"""Names and tags as Lambda takes them. Lengths and patterns are those of Lambda Cloud API 1.10.0."""

from typing import Annotated

from pydantic import AfterValidator, StringConstraints

from components.dynamic.inputs import written

TOKEN_TAG = "lambda-vllm-launch"  # noqa: S105 - the name of a tag
"""Whose machine it is: the random token of its launch."""

ORDER_TAG = "lambda-vllm-order"
"""Hash of all that a machine cannot change any more: image, key, user data, rulesets, filesystems, tags."""

RESERVED_TAG_PREFIX = "lambda-ai-"
"""Tag keys that Lambda refuses (two clients that read its document of September 2026)."""


def free_tag_key(key: str) -> str:
    """`ValueError` for a key that has an owner: Lambda, or the marks by which a launch is found again."""
    if key in (TOKEN_TAG, ORDER_TAG) or key.startswith(RESERVED_TAG_PREFIX):
        raise ValueError(f"the key {key} is reserved")
    return key


TagKey = Annotated[
    str,
    written(r"[a-z][a-z0-9:-]{1,54}", "2 to 55 characters a-z, 0-9, - and :, a letter first"),
    AfterValidator(free_tag_key),
]
TagValue = Annotated[str, StringConstraints(max_length=128)]
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
