"""What the Makefile calls."""

import sys

if sys.argv[:1] == ["-m"]:
    from entry_point import guard

    guard("scripts", "requirements-dev.txt")
