"""Whether this computer's clock is right, by what Lambda's answers say the time is. Pure: the time is given."""

import re
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime


def ahead_s(date: str | None, sent: float, came: float) -> float | None:
    """By how many seconds this computer's clock is ahead at least, below 0 when it is behind; None when nobody says it.

    `date` is the header of an answer, in whole seconds, to a request that left at `sent` and was answered at `came` by
    this computer's clock. What that leaves open counts for the clock.
    """
    try:
        there = parsedate_to_datetime(date).timestamp() if date else None
    except (ValueError, TypeError):
        there = None
    if there is None:
        return None
    return max(0.0, sent - there - 1) + min(0.0, came - there)


def refused_certificate(error: Exception, now: Callable[[], float]) -> str | None:
    """Why a server's certificate was refused, and the date, `now`, where that may be why; None for another error."""
    found = re.search(r"certificate verify failed: ([^(]+?) *(\(_ssl|$)", str(error))
    if not found:
        return None
    why = f"its certificate is refused, {found[1][:200]}"
    if "expired" not in why and "not yet valid" not in why:
        return why
    return f"{why}: is this computer's clock right? It says {time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime(now()))}"
