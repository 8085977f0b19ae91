"""What tokens cost on a machine that bills by the hour."""

SECONDS_PER_HOUR = 3600
MILLION = 1_000_000


def dollars_per_million_tokens(dollars_per_hour: float | None, tokens_per_second: float | None) -> float | None:
    """Dollars; None when the price is not known or no token is made."""
    if not dollars_per_hour or not tokens_per_second:
        return None
    return dollars_per_hour / SECONDS_PER_HOUR / tokens_per_second * MILLION


def dollars_for(dollars_per_hour: float | None, seconds: float | None) -> float | None:
    """Dollars for so long a run; None when one of them is not known."""
    if dollars_per_hour is None or seconds is None:
        return None
    return dollars_per_hour * seconds / SECONDS_PER_HOUR
