"""What is said of a server whose certificate is refused. Pure: the time is given."""

import re
import time
from collections.abc import Callable


def refused_certificate(error: Exception, now: Callable[[], float]) -> str | None:
    """Why a server's certificate was refused, and the date, `now`, where that may be why; None for another error."""
    found = re.search(r"certificate verify failed: ([^(]+?) *(\(_ssl|$)", str(error))
    if not found:
        return None
    why = f"its certificate is refused, {found[1][:200]}"
    if "expired" not in why and "not yet valid" not in why:
        return why
    return f"{why}: is this computer's clock right? It says {time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime(now()))}"
