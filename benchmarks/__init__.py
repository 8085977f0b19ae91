"""Measurements: ratios within one run, so that they hold on any machine. `make bench` runs them all."""

import sys

if sys.argv[:1] == ["-m"]:
    from entry_point import guard

    guard("benchmarks", "requirements-dev.txt")
