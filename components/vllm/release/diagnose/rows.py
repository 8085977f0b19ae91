"""The form of a table of texts that programs fail with."""

import re
from collections.abc import Callable
from typing import NamedTuple

Meaning = str | Callable[["re.Match[str]"], str]
"""The sentence, with \\1 for a group of the pattern, or what makes it of the match."""


class Row(NamedTuple):
    """A text that programs fail with, and what it means."""

    code: str
    """The same for every row of the same meaning, and for no other."""
    pattern: str
    meaning: Meaning
