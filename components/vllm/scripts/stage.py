"""Writes a setting of the server beside the one that runs, which is not touched: `stage.py`, with JSON as its input.

The input holds `key` and the texts of the files. It prints the time in nanoseconds, which tells two writes apart, and
nothing of what was written. Runs with the machine's own Python 3.10 or newer.
"""

import json
import sys
import time
from pathlib import Path

from .generations import Generations


def main() -> int:
    """Write it, and let what is under way for another setting know."""
    asked = json.load(sys.stdin)
    generations = Generations(Path.home())
    venv = (generations.base / "venv").resolve()
    generations.write(asked["key"], asked["files"], venv)
    generations.want(asked["key"])
    print(time.time_ns())
    return 0


if __name__ == "__main__":
    sys.exit(main())
