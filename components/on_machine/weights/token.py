"""Writes the user's token for the hub, which comes by standard input as `secret_input` has it; nothing shows it."""

import sys
from typing import BinaryIO

from components.on_machine.shared.files import replace_file
from components.on_machine.shared.paths import Places, places
from components.on_machine.shared.secret_input import read_whole
from components.on_machine.shared.work import WorkError


def write(home: Places, stream: BinaryIO) -> None:
    """Write it, for its user alone; what was there before stays when it does not come whole (`WorkError`)."""
    token = read_whole(stream)
    home.settings.mkdir(mode=0o700, parents=True, exist_ok=True)
    replace_file(home.hub_token, token)


if __name__ == "__main__":
    try:
        write(places(), sys.stdin.buffer)
    except WorkError as error:
        sys.exit(str(error))
