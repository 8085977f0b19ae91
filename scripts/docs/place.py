"""The place in a file that is written from the settings."""

import re

from components.text.counted import counted


class PlaceError(Exception):
    """A file in which the place is missing, or there twice; the text is one line."""


def put(text: str, pattern: str, new: str, what: str) -> str:
    """The text with the one part of it that the pattern finds (its lines, `^` and `$` at their ends) made new.

    `PlaceError` names `what` is missing.
    """
    found = list(re.finditer(pattern, text, re.MULTILINE))
    if len(found) != 1:
        raise PlaceError(f"{what} has to be there once, and is there {counted(len(found), 'time')}")
    return text[: found[0].start()] + new + text[found[0].end() :]
