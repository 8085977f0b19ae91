"""Read by every Python process that has this folder on PYTHONPATH: its clock is ahead by `CLOCK_AHEAD_HOURS`.

Only the program's own modules see that, for the reason that stands in clock_jump.
"""

import os
import sys
import time

SEES_IT = ("components", "__main__")
AHEAD_S = 3600 * float(os.environ.get("CLOCK_AHEAD_HOURS", "0"))
_true_time = time.time


def _time_ahead() -> float:
    caller = str(sys._getframe(1).f_globals.get("__name__", ""))
    return _true_time() + (AHEAD_S if caller.split(".")[0] in SEES_IT else 0)


time.time = _time_ahead
