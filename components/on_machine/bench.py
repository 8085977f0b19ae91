"""Runs a program of ours, which comes by standard input, with vLLM's Python and the variables of the server.

python3 -m components.on_machine.bench [ARGUMENT…]
"""

import os
import sys

from components.on_machine.service.generations import Generations
from components.on_machine.service.serve import command_and_environment
from components.on_machine.shared.paths import places
from components.on_machine.shared.work import run_work


def main() -> None:
    """Become that program. `WorkError` where the machine cannot serve."""
    generations = Generations(places().home)
    served = generations.get(generations.current or "")
    _, environment = command_and_environment(served, places())
    python = str(served.venv / "bin/python")
    os.execve(python, [python, "-", *sys.argv[1:]], environment)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    run_work(main)
