"""What a cause is, and how one is found in the text of a log."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from components.vllm.release.diagnose.rows import Row


@dataclass(frozen=True)
class Cause:
    """Why something failed."""

    code: str
    """Names it for programs."""
    text: str
    """In plain words, with its remedy."""


def known(text: str, rows: Iterable[Row]) -> Cause | None:
    """The meaning of the first row that is found; None when none is."""
    for code, pattern, meaning in rows:
        match = re.search(pattern, text)
        if match:
            return Cause(code, meaning(match) if callable(meaning) else match.expand(meaning))
    return None
