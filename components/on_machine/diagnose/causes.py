"""What a cause is, and how one is found in the text of a log."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

Meaning = str | Callable[["re.Match[str]"], str]
"""The sentence, with \\1 for a group of the pattern, or what makes it of the match."""


@dataclass(frozen=True)
class Cause:
    """Why something failed."""

    code: str
    """Names it for programs."""
    text: str
    """In plain words, with its remedy."""


class Row(NamedTuple):
    """A text that programs fail with, and what it means."""

    code: str
    """The same for every row of the same meaning, and for no other."""
    pattern: str
    meaning: Meaning


def known(text: str, rows: Iterable[Row]) -> Cause | None:
    """The meaning of the first row that is found; None when none is."""
    for code, pattern, meaning in rows:
        match = re.search(pattern, text)
        if match:
            return Cause(code, meaning(match) if callable(meaning) else match.expand(meaning))
    return None
