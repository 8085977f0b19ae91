"""What a word that nobody knows was meant to be."""

import difflib
import re
from collections.abc import Iterable

CUTOFF = 0.75
"""Of difflib's likeness, from 0 to 1: one letter of four may differ."""
NEAREST_CUTOFF = 0.85
"""For words that may be somebody else's as well."""
SHORTEST_PART = 4
"""Characters of a word that is looked for inside others, as gh200 in gpu_1x_gh200."""


def near(word: str, known: Iterable[str], most: int = 1) -> list[str]:
    """The known words that this one is probably meant to be, best first. Case, dashes and the like do not count."""
    plain = {_plain(one): one for one in known}
    wanted = _plain(word)
    if wanted in plain:
        return [plain[wanted]]
    if len(wanted) >= SHORTEST_PART and (inside := [one for text, one in plain.items() if wanted in text]):
        return inside[:most]
    if outside := [text for text in plain if len(text) >= SHORTEST_PART and wanted.startswith(text)]:
        return [plain[max(outside, key=len)]]
    return [plain[text] for text in difflib.get_close_matches(wanted, plain, n=most, cutoff=CUTOFF)]


def nearest(word: str, known: Iterable[str], cutoff: float = NEAREST_CUTOFF) -> list[str]:
    """The one known word that this one can hardly fail to mean, or none."""
    plain = {_plain(one): one for one in known}
    return [plain[text] for text in difflib.get_close_matches(_plain(word), plain, n=1, cutoff=cutoff)]


def is_same(word: str, other: str) -> bool:
    """Whether two words differ in case, dashes and the like alone."""
    return _plain(word) == _plain(other)


def did_you_mean(word: str, known: Iterable[str], most: int = 1) -> str:
    """A question that names them, empty when none is near."""
    *others, last = near(word, known, most) or [""]
    return f"did you mean {', '.join(others)} or {last}?" if others else f"did you mean {last}?" if last else ""


def _plain(word: str) -> str:
    return re.sub(r"[^a-z0-9]", "", word.lower())
