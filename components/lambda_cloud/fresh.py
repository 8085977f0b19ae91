"""Marks and tokens that were made a moment ago, in this process: nothing in the account can bear them yet.

Whoever makes the first object with one need not look for what an earlier run has left, which saves a first `up` a
second for each look.
"""

_made: set[str] = set()


def note_fresh(mark: str) -> None:
    """It has just been made."""
    _made.add(mark)


def is_fresh(mark: str) -> bool:
    """Whether nothing from before this run can bear it."""
    return mark in _made
