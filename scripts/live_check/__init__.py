"""A check on a real machine, for one dollar at most: up, measure, destroy, report."""

import sys

if sys.argv[:1] == ["-m"]:
    from entry_point import guard

    guard("live-check")
