"""Measurements: ratios within one run, so that they hold on any machine. `make bench` runs them all."""
