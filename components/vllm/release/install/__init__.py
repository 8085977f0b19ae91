"""Pins of what is installed on a machine, by release and target."""
