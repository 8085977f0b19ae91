"""Read by every Python process that has this folder on PYTHONPATH: the clock is set anew each time the program looks.

Only the program's own modules and its HTTP client see that. gRPC, by which Pulumi talks to its plugins, counts its
deadlines by the same clock and hangs when it jumps; that is Pulumi's to settle.
"""

import itertools
import sys
import time

SEES_IT = ("components", "requests", "urllib3", "http", "asyncssh", "__main__")
HOURS = itertools.cycle([0, 7, -5, 30 * 24, -30 * 24])
_true_time = time.time


def _jumping_time() -> float:
    caller = str(sys._getframe(1).f_globals.get("__name__", ""))
    return _true_time() + (next(HOURS) * 3600 if caller.split(".")[0] in SEES_IT else 0)


time.time = _jumping_time
