"""Writes what is asked of the server down, beside what runs, which is not touched: the step before the swap to it.

Its input is JSON: `key`, `environment_key` (of what is installed), `files` (texts by name), `api_keys` and
`log_megabytes`. The keys and the log count at once, without a new start.
"""

import sys

from components.on_machine.service.generations import Generations
from components.on_machine.shared.files import replace_file
from components.on_machine.shared.paths import places
from components.on_machine.shared.secret_input import read_json
from components.on_machine.shared.work import WorkError, run_work


def write_down() -> None:
    """Write it, and let what is under way for another setting know."""
    asked = read_json(sys.stdin.buffer)
    generations = Generations(places().home)
    venv = generations.places.installs / asked["environment_key"]
    if not venv.exists():
        raise WorkError("the vLLM of these settings is gone: pulumi up --replace '**-install'", "no-environment")
    replace_file(generations.places.api_keys, "".join(f"{key}\n" for key in asked["api_keys"]))
    replace_file(generations.places.log_megabytes, f"{asked['log_megabytes']}\n")
    # First, since what is wanted is not taken away when another setting gets ready in this moment.
    generations.want(asked["key"])
    generations.write(asked["key"], asked["files"], venv.resolve())


if __name__ == "__main__":
    run_work(write_down)
