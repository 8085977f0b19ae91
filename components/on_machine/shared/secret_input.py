"""A secret on its way to this machine: standard input, whole or not at all.

A connection that is lost looks like the end of the input, so the text is followed by a line by which it is known to be
whole.
"""

from typing import BinaryIO

from components.on_machine.shared.work import WorkError

END = "--end-of-file--"
"""The line after the last one of the text."""


def read_whole(stream: BinaryIO) -> str:
    """The lines before the one that is `END`; empty when there are none. `WorkError` when that line did not come."""
    # As bytes, so that half of a letter is known for what it is.
    text, newline, last = stream.read().removesuffix(b"\n").rpartition(b"\n")
    if last != END.encode():
        raise WorkError("the connection ended before all of the file had come: run `pulumi up` again", "cut-off")
    return (text + newline).decode()
