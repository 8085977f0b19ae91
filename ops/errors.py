"""What ends a command with one line."""


class OpsError(Exception):
    """The message is the line: what is wrong, where, and what to do."""
