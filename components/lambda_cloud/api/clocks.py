"""Whether this computer's clock is right, by what Lambda's answers say the time is. Pure: the time is given."""

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
