"""Reads what comes by standard input, which no command line, state or log shows, and knows whether all of it came.

A connection that is lost looks to the machine like the end of the input, so that a line after the last one says that
nothing is missing. `with_end` is for whoever sends it.
"""

import json
from typing import Any, BinaryIO

from components.on_machine.shared.work import WorkError

END = "--end-of-file--"
"""The line after the last one of the text."""


def with_end(content: str) -> str:
    """A text as lines, and after them one by which it is known to be whole."""
    lines = content.removesuffix("\n") + "\n" if content else ""
    return f"{lines}{END}\n"


def read_whole(stream: BinaryIO) -> str:
    """The text again. `WorkError` when the connection ended before all of it had come."""
    text, newline, last = stream.read().removesuffix(b"\n").rpartition(b"\n")
    if last.decode(errors="replace") != END:
        raise WorkError("the connection ended before all of the file had come: run `pulumi up` again", "cut-off")
    return (text + newline).decode()


def read_json(stream: BinaryIO) -> dict[str, Any]:
    """The same for an object."""
    said: dict[str, Any] = json.loads(read_whole(stream))
    return said
