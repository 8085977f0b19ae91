"""Reads what comes by standard input, which no command line, state or log shows, and knows whether all of it came.

A connection that is lost looks to the machine like the end of the input.
"""

import json
from typing import Any, TextIO

from components.on_machine.shared.work import WorkError

END = "--end-of-file--"
"""After the last line of a text on its way."""


def with_end(content: str) -> str:
    """A text as lines, and after them one by which it is known to be whole. For whoever sends it."""
    lines = content.removesuffix("\n") + "\n" if content else ""
    return f"{lines}{END}\n"


def read_whole(stream: TextIO) -> str:
    """The text again. `WorkError` when the connection ended before all of it had come."""
    *lines, last = stream.read().removesuffix("\n").split("\n")
    if last != END:
        raise WorkError("the connection ended before all of the file had come: run `pulumi up` again", "cut-off")
    return "".join(f"{line}\n" for line in lines)


def read_json(stream: TextIO) -> dict[str, Any]:
    """The same for an object, sent `with_end`."""
    said: dict[str, Any] = json.loads(read_whole(stream))
    return said
