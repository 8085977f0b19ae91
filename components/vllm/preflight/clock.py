"""What is told of a clock that is wrong: certificates are made by it."""

from components.on_machine.tls.trust import BACKDATED_S, TELLING_S, offset


def is_behind(ahead_s: float) -> bool:
    """Whether this computer's clock is known to be behind."""
    return ahead_s < -TELLING_S


def clock_lines(ahead_s: float) -> list[str]:
    """A line when this computer's clock is so many seconds ahead of Lambda's, or behind where it is below 0."""
    if abs(ahead_s) <= TELLING_S:
        return []
    reach = f"certificates of an endpoint are made by it, and bear an error of {BACKDATED_S // 86400} days at most"
    return [f"this computer's clock is {offset(ahead_s)} Lambda's: set it; {reach}"]
