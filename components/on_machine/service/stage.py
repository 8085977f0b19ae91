"""Writes a setting of the server beside the one that runs, which is not touched: `stage.py`, with JSON as its input.

The input holds `key`, `install_key` and the texts of the files. It prints the time in nanoseconds, which tells two
writes apart, and nothing of what was written. Runs with the machine's own Python 3.10 or newer.
"""

import json
import sys
import time
from pathlib import Path

from components.on_machine.service.generations import Generations


def main() -> int:
    """Write it, and let what is under way for another setting know."""
    asked = json.load(sys.stdin)
    generations = Generations(Path.home())
    venv = generations.base / "installs" / asked["install_key"]
    if not venv.exists():
        print("error: the vLLM of these settings is gone: pulumi up --replace '**-install'", file=sys.stderr)
        return 1
    # First, since what is wanted is not taken away when another setting gets ready in this moment.
    generations.want(asked["key"])
    generations.write(asked["key"], asked["files"], venv.resolve())
    print(time.time_ns())
    return 0


if __name__ == "__main__":
    sys.exit(main())
