"""What is told beside the result: on standard error, so that the result can be piped."""

import sys


def say(line: str) -> None:
    """One line for the user."""
    print(f"ops: {line}", file=sys.stderr, flush=True)
