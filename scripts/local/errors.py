"""What ends a command with one line."""


class LocalError(Exception):
    """The message is the line: what is wrong and what to do."""
